#include "lib-auth/ldap/ldap-attributes.h"

#include <fmt/format.h>

#include <algorithm>

#include "lib-auth/ldap/ldap-escape.h"
#include "lib-base/text.h"
#include "lib-config/variables.h"

namespace culver {

namespace {
constexpr std::size_t kItemLimit = 500;

// The items of a list: at commas outside of %{...}.
std::vector<std::string_view> split_items(std::string_view list) {
    std::vector<std::string_view> items;
    std::size_t start = 0, depth = 0;
    for (std::size_t i = 0; i <= list.size(); ++i) {
        if (i < list.size() && list[i] == '{') ++depth;
        if (i < list.size() && list[i] == '}' && depth > 0) --depth;
        bool ends = i == list.size() || (list[i] == ',' && depth == 0);
        if (!ends) continue;
        items.push_back(list.substr(start, i - start));
        start = i + 1;
    }
    return items;
}

bool is_blank(char c) { return c == ' ' || c == '\t'; }

// "attr@pointer"; the second part is empty without @.
std::pair<std::string_view, std::string_view> split_pointer(std::string_view name) {
    std::size_t at = name.find('@');
    if (at == name.npos) return {name, {}};
    return {name.substr(0, at), name.substr(at + 1)};
}

void add_once(std::vector<std::string>& names, std::string_view name) {
    bool known = std::any_of(names.begin(), names.end(),
                             [&](const std::string& other) { return equals_ignore_case(other, name); });
    if (!known && !name.empty()) names.emplace_back(name);
}

// The whole template is %{ldap:attr} or %$: its value is no part of anything.
bool is_one_value(std::string_view text) {
    return text == "%$" || (text.starts_with("%{ldap:") && text.find('}') == text.size() - 1);
}
}  // namespace

const std::vector<std::string>* LdapEntry::find(std::string_view name) const {
    for (const auto& [attribute, values] : attributes)
        if (equals_ignore_case(attribute, name)) return values.empty() ? nullptr : &values;
    return nullptr;
}

Result<LdapAttributes> LdapAttributes::parse(std::string_view list, std::string_view skip) {
    LdapAttributes out;
    auto items = split_items(list);
    if (items.size() > kItemLimit) return fail(ErrorCode::Limit, fmt::format("more than {} items", kItemLimit));
    // Pointers first: any item may use them, whatever stands first.
    for (bool pointers : {true, false}) {
        for (std::string_view item : items) {
            // Blanks at the end belong to a template.
            while (!item.empty() && is_blank(item.front())) item.remove_prefix(1);
            if (item.empty()) continue;
            bool is_pointer = item.starts_with('@') || item.starts_with("=@");
            if (is_pointer == pointers) TRY(out.add(item, skip));
        }
    }
    return out;
}

Status LdapAttributes::add(std::string_view text, std::string_view skip) {
    std::size_t equals = text.find('=');
    std::string_view attribute = trim(text.substr(0, equals));
    if (attribute.starts_with('!') && equals == text.npos) {
        want(attribute.substr(1));
        return {};
    }
    std::string_view field = equals == text.npos ? attribute : text.substr(equals + 1);
    Item item;
    // "=@name=template" and "@name=template" are the same.
    if (attribute.starts_with('@') && equals != text.npos) {
        field = text;
        attribute = {};
    }
    if (std::size_t second = field.find('='); second != field.npos) {
        item.has_text = true;
        item.text = field.substr(second + 1);
        field = field.substr(0, second);
    }
    if (field.starts_with('@')) {
        if (item.has_text) pointers_.push_back({std::string(field.substr(1)), item.text, {}});
        want_variables(item.text);
        return {};
    }
    if (field.empty()) return fail(ErrorCode::InvalidArgument, fmt::format("Invalid attrs entry: {}", text));
    if (field == skip) return {};
    item.attribute = attribute;
    item.field = trim(field);
    if (item.has_text && !attribute.empty() && item.text.find('%') == item.text.npos) item.text += "%$";
    want(attribute);
    want_variables(item.text);
    items_.push_back(std::move(item));
    return {};
}

LdapAttributes::Pointer* LdapAttributes::find_pointer(std::string_view name) {
    for (Pointer& pointer : pointers_)
        if (pointer.name == name) return &pointer;
    return nullptr;
}

void LdapAttributes::want(std::string_view name) {
    auto [attribute, pointer] = split_pointer(name);
    if (pointer.empty()) return add_once(wanted_, attribute);
    if (Pointer* known = find_pointer(pointer)) add_once(known->wanted, attribute);
}

// Every ldap:name and ldap_ptr:name of a template, wherever in a %{...} it stands.
void LdapAttributes::want_variables(std::string_view text) {
    for (std::string_view prefix : {std::string_view("ldap:"), std::string_view("ldap_ptr:")}) {
        for (std::size_t i = text.find(prefix); i != text.npos; i = text.find(prefix, i + 1)) {
            std::string_view name = text.substr(i + prefix.size());
            want(name.substr(0, name.find_first_of(":;}")));
        }
    }
}

// The variables of one template.
class LdapAttributes::Expansion {
public:
    Expansion(const LdapAnswer& answer, const AuthRequest& request, const Complain& complain)
        : answer_(answer), request_(request), complain_(complain) {}

    // The value of %$ from here on; null: none.
    void use(const std::vector<std::string>* values) { values_ = values; }

    Result<std::string> expand(std::string_view text, const VariableEscape& escape = nullptr) const {
        return expand_variables(
            text, [this](std::string_view name) { return variable(name); }, escape);
    }

    const std::vector<std::string>* values_of(std::string_view name) const {
        auto [attribute, pointer] = split_pointer(name);
        if (pointer.empty()) return answer_.entry.find(attribute);
        auto it = answer_.pointed.find(pointer);
        return it == answer_.pointed.end() ? nullptr : it->second.find(attribute);
    }

private:
    std::string value_of(std::string_view text) const {
        std::size_t colon = text.find(':');
        std::string_view name = text.substr(0, colon);
        const auto* values = values_of(name);
        if (!values) return std::string(colon == text.npos ? std::string_view() : text.substr(colon + 1));
        if (values->size() > 1) complain_(fmt::format("Multiple values found for '{}', using the first", name));
        return values->front();
    }

    std::optional<std::string> variable(std::string_view name) const {
        if (name == "$") return values_ ? values_->front() : std::string();
        if (name == "ldap_dn") return answer_.entry.dn;
        if (name == "ldap" || name == "ldap_ptr") return std::string();
        if (name.starts_with("ldap:")) return value_of(name.substr(5));
        if (name.starts_with("ldap_ptr:")) return value_of(value_of(name.substr(9)));
        return request_.variable(name);
    }

    const LdapAnswer& answer_;
    const AuthRequest& request_;
    const Complain& complain_;
    const std::vector<std::string>* values_ = nullptr;
};

std::optional<std::string> LdapAttributes::pointed_dn(const Pointer& pointer, const LdapEntry& entry,
                                                      const AuthRequest& request) const {
    LdapAnswer answer{entry, {}};
    Complain complain = [](std::string) {};
    Expansion expansion(answer, request, complain);
    auto dn = expansion.expand(pointer.text, is_one_value(pointer.text) ? nullptr : VariableEscape(ldap_escape));
    if (!dn || dn->empty()) return std::nullopt;
    return std::move(*dn);
}

AuthFields LdapAttributes::fields(const LdapAnswer& answer, const AuthRequest& request,
                                  const Complain& complain) const {
    AuthFields out;
    std::optional<AuthRequest> renamed;  // once the list has changed the user, later templates see the new name
    for (const Item& item : items_) {
        Expansion expansion(answer, renamed ? *renamed : request, complain);
        const auto* values = item.attribute.empty() ? nullptr : expansion.values_of(item.attribute);
        if (!item.attribute.empty() && !values) continue;
        if (values && values->size() > 1)
            complain(fmt::format("Multiple values found for '{}', using the first", item.field));
        expansion.use(values);
        std::string value = item.has_text || !values ? std::string() : values->front();
        if (item.has_text) {
            auto made = expansion.expand(item.text);
            if (made) value = std::move(*made);
            else complain(made.error().detail);
        }
        out.set(item.field, value, !value.empty());
        if (item.field == "user" && !value.empty()) {
            if (!renamed) renamed = request;
            renamed->user = value;
        }
    }
    return out;
}

std::vector<std::string> LdapAttributes::users(const LdapAnswer& answer, const Complain& complain) const {
    std::vector<std::string> users;
    AuthRequest nobody;
    for (const Item& item : items_) {
        if (item.field != "user") {
            complain(fmt::format("iterate: Ignoring field not named 'user': {}", item.field));
            continue;
        }
        Expansion expansion(answer, nobody, complain);
        const auto* values = item.attribute.empty() ? nullptr : expansion.values_of(item.attribute);
        if (!item.attribute.empty() && !values) continue;
        if (!item.has_text) {
            if (values) users.insert(users.end(), values->begin(), values->end());
            continue;
        }
        expansion.use(values);
        auto made = expansion.expand(item.text);
        if (made && !made->empty()) users.push_back(std::move(*made));
        else if (!made) complain(made.error().detail);
    }
    return users;
}

}  // namespace culver
