#include "lib-delivery/deliver-log.h"

#include <optional>
#include <string_view>

#include "lib-config/variables.h"
#include "lib-smtp/address.h"

namespace culver {
namespace {

// The letters mean other things here than elsewhere, so they are spelled out before the common expander sees them.
constexpr std::pair<char, std::string_view> kLetters[] = {
    {'$', "status"},        {'m', "msgid"}, {'s', "subject"}, {'f', "from"},
    {'e', "from_envelope"}, {'p', "size"},  {'w', "vsize"},
};

std::string with_long_names(std::string_view format) {
    std::string out;
    for (std::size_t i = 0; i < format.size(); ++i) {
        out += format[i];
        if (format[i] != '%') continue;
        for (++i; i < format.size() && (std::string_view("0123456789.-").find(format[i]) != std::string_view::npos);
             ++i)
            out += format[i];
        if (i >= format.size()) break;
        std::string_view name;
        for (auto [letter, long_name] : kLetters)
            if (letter == format[i]) name = long_name;
        if (name.empty()) out += format[i];
        else out.append("{").append(name).append("}");
    }
    return out;
}

// The address in a From header, as far as a log needs it: what stands between the last angle brackets, or the whole.
std::string from_address(const std::string& from) {
    auto open = from.rfind('<');
    auto close = open == std::string::npos ? open : from.find('>', open);
    return close == std::string::npos ? from : from.substr(open + 1, close - open - 1);
}

}  // namespace

std::string deliver_log_line(const std::string& format, const DeliverLogFields& fields) {
    const std::string& id = fields.header->message_id;
    const std::string message_id = id.empty() ? "unspecified" : id;
    std::string usual = "msgid=" + message_id + ": " + fields.status;
    if (format == "msgid=%m: %$") return usual;
    auto lookup = [&](std::string_view name) -> std::optional<std::string> {
        if (name == "status") return fields.status;
        if (name == "msgid") return message_id;
        if (name == "subject") return fields.header->subject;
        if (name == "from") return from_address(fields.header->from);
        if (name == "from_envelope") return fields.sender;
        if (name == "to_envelope") return fields.recipient;
        if (name == "size") return std::to_string(fields.size);
        if (name == "vsize") return std::to_string(fields.virtual_size);
        if (name == "session") return fields.session;
        if (name == "delivery_time" || name == "session_time" || name == "storage_id") return std::string();
        return std::nullopt;
    };
    auto line = expand_variables(with_long_names(format), lookup);
    return line ? *line : usual;
}

}  // namespace culver
