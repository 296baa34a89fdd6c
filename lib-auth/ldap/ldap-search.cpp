// LdapConnection: searches, whole or page by page.
#include <fmt/format.h>

#include "lib-auth/ldap/ldap-connection.h"

namespace culver {

namespace {
using Clock = std::chrono::steady_clock;
constexpr ber_int_t kPageSize = 500;

struct MessageOwner {
    LDAPMessage* message;
    ~MessageOwner() { ::ldap_msgfree(message); }
};
}  // namespace

// The place in a listing that comes in pages.
struct LdapConnection::Page {
    berval* cookie = nullptr;
    ~Page() { ::ber_bvfree(cookie); }
    bool is_last() const { return !cookie || cookie->bv_len == 0; }
    void take_from(LDAP* handle, LDAPControl** controls) {
        ::ber_bvfree(cookie);
        cookie = nullptr;
        LDAPControl* found = ::ldap_control_find(LDAP_CONTROL_PAGEDRESULTS, controls, nullptr);
        berval next{};
        ber_int_t estimate = 0;
        if (found && ::ldap_parse_pageresponse_control(handle, found, &estimate, &next) == LDAP_SUCCESS) {
            cookie = ::ber_bvdup(&next);
            ::ber_memfree(next.bv_val);
        }
    }
};

LdapEntry LdapConnection::read_entry(LDAPMessage* message) {
    LdapEntry entry;
    if (char* dn = ::ldap_get_dn(handle_, message)) {
        entry.dn = dn;
        ::ldap_memfree(dn);
    }
    BerElement* place = nullptr;
    for (char* name = ::ldap_first_attribute(handle_, message, &place); name;
         name = ::ldap_next_attribute(handle_, message, place)) {
        berval** values = ::ldap_get_values_len(handle_, message, name);
        std::vector<std::string> list;
        for (int i = 0; values && values[i]; ++i) {
            std::string value(values[i]->bv_val, values[i]->bv_len);
            // A NUL would end the value for others on its way (security rule M2).
            if (value.find('\0') == value.npos) list.push_back(std::move(value));
        }
        ::ldap_value_free_len(values);
        entry.attributes.emplace_back(name, std::move(list));
        ::ldap_memfree(name);
    }
    ::ber_free(place, 0);
    return entry;
}

// The number of the request.
Result<int> LdapConnection::start_search(const Search& search, std::chrono::seconds timeout, Page* page) {
    deadline_.set(timeout);
    std::vector<char*> names;
    for (const std::string& name : search.attributes) names.push_back(const_cast<char*>(name.c_str()));
    names.push_back(nullptr);
    LDAPControl* paging = nullptr;
    if (page && ::ldap_create_page_control(handle_, kPageSize, page->cookie, 0, &paging) != LDAP_SUCCESS)
        return fail(ErrorCode::Internal, "ldap_create_page_control() failed");
    LDAPControl* controls[] = {paging, nullptr};
    timeval limit{timeout.count(), 0};
    int number = 0;
    int rc = ::ldap_search_ext(handle_, search.base.c_str(), search.scope, search.filter.c_str(),
                               search.attributes.empty() ? nullptr : names.data(), 0, controls, nullptr, &limit,
                               search.limit, &number);
    ::ldap_control_free(paging);
    if (rc == LDAP_SUCCESS) return number;
    return failure(rc, fmt::format("ldap_search(base={} filter={})", search.base, search.filter));
}

// The server's result code, once it has given all entries; `visit` ends it early.
Result<int> LdapConnection::ask(const Search& search, std::chrono::seconds timeout, Page* page,
                                const std::function<bool(LdapEntry)>& visit) {
    std::string what = fmt::format("ldap_search(base={} filter={})", search.base, search.filter);
    int number = TRY(start_search(search, timeout, page));
    auto end = Clock::now() + timeout;
    while (true) {
        // A listing may take its time as long as it goes on.
        auto left = page ? timeout : std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now());
        MessageOwner owner{TRY(next_message(number, LDAP_MSG_ONE, left, what))};
        int type = ::ldap_msgtype(owner.message);
        if (type == LDAP_RES_SEARCH_ENTRY && !visit(read_entry(owner.message))) {
            ::ldap_abandon_ext(handle_, number, nullptr, nullptr);
            return LDAP_SUCCESS;
        }
        if (type != LDAP_RES_SEARCH_RESULT) continue;
        int code = LDAP_OTHER;
        char* said = nullptr;
        LDAPControl** controls = nullptr;
        int rc = ::ldap_parse_result(handle_, owner.message, &code, nullptr, &said, nullptr, &controls, 0);
        if (page) page->take_from(handle_, controls);
        ::ldap_controls_free(controls);
        std::string text = said ? said : "";
        ::ldap_memfree(said);
        if (rc != LDAP_SUCCESS) code = rc;
        bool is_enough = code == LDAP_SUCCESS || (code == LDAP_SIZELIMIT_EXCEEDED && !page);
        if (is_enough) return code;
        return failure(code, what, text.c_str());
    }
}

Result<std::vector<LdapEntry>> LdapConnection::search(const Search& search) {
    std::vector<LdapEntry> found;
    // More than was asked for comes from a server that ignores limits.
    int code = TRY(ask(search, timeouts_.search, nullptr, [&](LdapEntry entry) {
        found.push_back(std::move(entry));
        return static_cast<int>(found.size()) < search.limit;
    }));
    if (code == LDAP_SIZELIMIT_EXCEEDED && found.empty())
        return failure(code, fmt::format("ldap_search(base={} filter={})", search.base, search.filter));
    return found;
}

Status LdapConnection::for_each(const Search& search, const std::function<bool(LdapEntry)>& visit) {
    Page page;
    bool wanted = true;
    do {
        TRY(ask(search, timeouts_.iterate, &page, [&](LdapEntry entry) { return wanted = visit(std::move(entry)); }));
    } while (wanted && !page.is_last());
    return {};
}

}  // namespace culver
