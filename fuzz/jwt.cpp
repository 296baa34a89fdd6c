// A JSON Web Token as any client may send it: taken apart, its claims judged, its names made paths, its signature
// checked.
#include "lib-auth/oauth2/jwt.h"

#include <string_view>

#include "lib-auth/oauth2/jwt-signature.h"

using namespace culver;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    static const auto key = JwtKey::load("HS256", "c2VjcmV0");
    auto token = parse_jwt({reinterpret_cast<const char*>(data), size});
    if (!token) return 0;
    JwtRules rules{{"https://a"}, "client", {"mail"}, "mail"};
    (void)find_claim_problem(*token, rules, 1'700'000'000);
    (void)find_claim_problem(*token, {}, 1'700'000'000);
    for (std::string_view name : {std::string_view(token->party), std::string_view(token->key_id)}) {
        auto component = path_component_of(name);
        if (component && (component->empty() || component->find('/') != component->npos || component->front() == '.'))
            __builtin_trap();
    }
    (void)is_jwt_algorithm(token->algorithm);
    (void)(*key)->verifies(token->signing_input, token->signature);
    return 0;
}
