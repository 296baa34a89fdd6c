// user_attrs over an entry: a list and values that anybody may have written. The first line is the list, the second
// an attribute's value, the third the user name.
#include "lib-auth/ldap/ldap-attributes.h"

#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>

#include "lib-auth/ldap/ldap-config.h"
#include "lib-auth/ldap/ldap-escape.h"
#include "lib-base/text.h"

using namespace culver;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    std::string_view text(reinterpret_cast<const char*>(data), size);
    auto lines = split(text, '\n');
    lines.resize(3);
    LdapAnswer answer;
    answer.entry.dn = "uid=x";
    answer.entry.attributes = {{"uid", {std::string(lines[1])}}, {"mail", {"a", std::string(lines[1])}}};
    answer.pointed["p"] = answer.entry;
    AuthRequest request;
    request.user = request.original_user = lines[2];
    if (auto attributes = LdapAttributes::parse(lines[0])) {
        auto quiet = [](std::string) {};
        (void)attributes->fields(answer, request, quiet);
        (void)attributes->users(answer, quiet);
        for (const auto& pointer : attributes->pointers()) (void)attributes->pointed_dn(pointer, answer.entry, request);
    }
    // A name cannot leave its place in a filter or a DN.
    std::string escaped = ldap_escape(lines[2]);
    if (escaped.find_first_of("()*,+\"<>;=# ") != escaped.npos) std::abort();
    auto filter = expand_ldap_filter("(&(a=%u)(b=cn=%n,dc=%Dd))", request);
    if (filter &&
        (std::count(filter->begin(), filter->end(), '(') != 3 || std::count(filter->begin(), filter->end(), ')') != 3))
        std::abort();
    (void)parse_ldap_config(text, "f");
    return 0;
}
