// pass_attrs, user_attrs and iterate_attrs: which fields of a login are made of which attributes of an LDAP entry.
//
//   attr=field             the attribute's value; no field without the attribute
//   attr=field=template    the same, made by a template: %$ is the value, at the end if the template has no %variable
//   =field=template        always; %{ldap:attr}, %{ldap:attr:default}, %{ldap_ptr:attr} (the attribute that this one
//                          names), %{ldap_dn}, and every variable of the login
//   @name=template         the template gives the DN of another entry, whose attributes are %{ldap:attr@name}
//   !attr                  only fetched, for %{ldap_ptr:...}
//
// Pure: asks nobody.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib-auth/auth-fields.h"
#include "lib-auth/auth-request.h"
#include "lib-base/result.h"

namespace culver {

// What a search found. Attribute names match in any case. Values hold no NUL.
struct LdapEntry {
    std::string dn;
    std::vector<std::pair<std::string, std::vector<std::string>>> attributes;

    // Its values in the server's order; null if the entry does not have it.
    const std::vector<std::string>* find(std::string_view name) const;
};

// An entry with those that its @pointers led to.
struct LdapAnswer {
    LdapEntry entry;
    std::map<std::string, LdapEntry, std::less<>> pointed;  // by the name of the pointer
};

class LdapAttributes {
public:
    struct Pointer {
        std::string name, text;
        std::vector<std::string> wanted;
    };

    // `skip`: a field to leave out (the password, when the server compares it). The error names the bad item.
    static Result<LdapAttributes> parse(std::string_view list, std::string_view skip = {});

    // The attributes to ask for, never twice; empty: all.
    const std::vector<std::string>& wanted() const { return wanted_; }
    const std::vector<Pointer>& pointers() const { return pointers_; }

    // The DN that a pointer gives for this entry; nothing if it gives none. Values from elsewhere are escaped, a
    // template that is nothing but one attribute's value is a DN as it stands.
    std::optional<std::string> pointed_dn(const Pointer& pointer, const LdapEntry& entry,
                                          const AuthRequest& request) const;

    // `complain` is told what the admin should know: several values, a template that cannot be expanded.
    using Complain = std::function<void(std::string)>;
    // The fields in the order of the list. Empty values are bare keys.
    AuthFields fields(const LdapAnswer& answer, const AuthRequest& request, const Complain& complain) const;
    // Every value of the field `user`.
    std::vector<std::string> users(const LdapAnswer& answer, const Complain& complain) const;

private:
    struct Item {
        std::string attribute;  // empty: the field is always there
        std::string field;
        std::string text;  // a template; empty: the value as it is
        bool has_text = false;
    };
    class Expansion;

    Status add(std::string_view text, std::string_view skip);
    void want(std::string_view name);
    void want_variables(std::string_view text);
    Pointer* find_pointer(std::string_view name);

    std::vector<Item> items_;
    std::vector<Pointer> pointers_;
    std::vector<std::string> wanted_;
};

}  // namespace culver
