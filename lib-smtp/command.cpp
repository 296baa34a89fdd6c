#include "lib-smtp/command.h"

#include <functional>

#include "lib-base/text.h"

namespace culver {
namespace {

struct VerbName {
    std::string_view name;
    SmtpVerb verb;
};
constexpr VerbName kVerbs[] = {
    {"LHLO", SmtpVerb::Lhlo},         {"HELO", SmtpVerb::Helo}, {"EHLO", SmtpVerb::Ehlo},
    {"MAIL", SmtpVerb::Mail},         {"RCPT", SmtpVerb::Rcpt}, {"DATA", SmtpVerb::Data},
    {"BDAT", SmtpVerb::Bdat},         {"RSET", SmtpVerb::Rset}, {"NOOP", SmtpVerb::Noop},
    {"VRFY", SmtpVerb::Vrfy},         {"HELP", SmtpVerb::Help}, {"QUIT", SmtpVerb::Quit},
    {"STARTTLS", SmtpVerb::StartTls}, {"AUTH", SmtpVerb::Auth}, {"XCLIENT", SmtpVerb::Xclient},
};

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

std::unexpected<SmtpReply> refuse(unsigned code, std::string text) {
    return std::unexpected(SmtpReply{code, std::move(text)});
}

// esmtp-param of RFC 5321 §4.1.2, one after the other; `accept` gives an error reply or nothing.
struct Parameter {
    std::string name;  // upper case
    std::optional<std::string_view> value;
};
using ParameterTaker = std::function<std::optional<SmtpReply>(const Parameter&)>;

std::optional<SmtpReply> for_each_parameter(std::string_view text, std::string_view command,
                                            const ParameterTaker& accept) {
    std::string seen = " ";
    for (std::string_view word : split_words(text)) {
        auto equals = word.find('=');
        std::string_view name = word.substr(0, equals);
        bool valid = !name.empty() && name.front() != '-';
        for (char c : name) valid = valid && (is_letter(c) || (c >= '0' && c <= '9') || c == '-');
        if (!valid)
            return SmtpReply{
                501, "5.5.4 Invalid " + std::string(command) + " parameter: Unexpected character in parameter keyword"};
        Parameter parameter{to_upper(name), {}};
        if (equals != std::string_view::npos) parameter.value = word.substr(equals + 1);
        // The few known names keep this list short: an unknown one ends the loop.
        if (seen.find(" " + parameter.name + " ") != std::string::npos)
            return SmtpReply{501, "5.5.4 Duplicate " + parameter.name + "= parameter"};
        seen += parameter.name + " ";
        if (auto error = accept(parameter)) return error;
    }
    return std::nullopt;
}

SmtpReply missing_value(const Parameter& parameter) {
    return {501, "5.5.4 Missing " + parameter.name + "= parameter value"};
}
SmtpReply invalid_value(const Parameter& parameter) {
    return {501, "5.5.4 Invalid " + parameter.name + "= parameter value"};
}
SmtpReply unsupported() { return {555, "5.5.4 Unsupported parameters"}; }

std::optional<SmtpReply> take_mail_parameter(MailCommand& mail, const Parameter& parameter) {
    const std::string& name = parameter.name;
    if (name == "SMTPUTF8") {
        if (parameter.value) return invalid_value(parameter);
        mail.utf8 = true;
        return std::nullopt;
    }
    if (name != "SIZE" && name != "BODY" && name != "RET" && name != "ENVID") return unsupported();
    if (!parameter.value || parameter.value->empty()) return missing_value(parameter);
    const std::string_view value = *parameter.value;
    if (name == "SIZE") {
        mail.size = parse_uint64(value);
        if (!mail.size) return invalid_value(parameter);
    } else if (name == "BODY") {
        if (equals_ignore_case(value, "8BITMIME")) mail.body = SmtpBody::EightBitMime;
        else if (!equals_ignore_case(value, "7BIT")) return SmtpReply{555, "5.5.4 Unsupported mail BODY type"};
    } else if (name == "RET") {
        mail.ret = to_upper(value);
        if (mail.ret != "FULL" && mail.ret != "HDRS") return invalid_value(parameter);
    } else {
        auto id = value.size() <= 100 ? decode_xtext(value) : std::nullopt;
        if (!id) return invalid_value(parameter);
        mail.envelope_id = std::move(*id);
    }
    return std::nullopt;
}

bool take_notify(RcptCommand& rcpt, std::string_view value) {
    rcpt.notify_given = true;
    if (equals_ignore_case(value, "NEVER")) {
        rcpt.notify_never = true;
        return true;
    }
    for (std::string_view word : split(value, ',')) {
        if (equals_ignore_case(word, "SUCCESS")) rcpt.notify_success = true;
        else if (equals_ignore_case(word, "FAILURE")) rcpt.notify_failure = true;
        else if (equals_ignore_case(word, "DELAY")) rcpt.notify_delay = true;
        else return false;
    }
    return true;
}

std::optional<SmtpReply> take_rcpt_parameter(RcptCommand& rcpt, const Parameter& parameter) {
    if (parameter.name != "NOTIFY" && parameter.name != "ORCPT") return unsupported();
    if (!parameter.value || parameter.value->empty()) return missing_value(parameter);
    const std::string_view value = *parameter.value;
    if (parameter.name == "NOTIFY") {
        if (!take_notify(rcpt, value)) return invalid_value(parameter);
        return std::nullopt;
    }
    auto semicolon = value.find(';');
    if (semicolon == 0 || semicolon == std::string_view::npos)
        return SmtpReply{501, "5.5.4 Invalid addr-type for ORCPT= parameter"};
    rcpt.original_type = to_lower(value.substr(0, semicolon));
    std::string_view address = value.substr(semicolon + 1);
    // utf-8-addr-xtext of RFC 6533 is told apart by its type; its bytes are kept as they stand.
    auto decoded = rcpt.original_type == "utf-8" ? std::optional(std::string(address)) : decode_xtext(address);
    if (!decoded || decoded->size() > 500) return invalid_value(parameter);
    for (char c : *decoded)
        if (is_control(c)) return invalid_value(parameter);
    if (!is_valid_utf8(*decoded)) return invalid_value(parameter);
    rcpt.original_recipient = std::move(*decoded);
    return std::nullopt;
}

}  // namespace

std::optional<SmtpCommandLine> parse_command_line(std::string_view line) {
    for (char c : line)
        if (is_control(c)) return std::nullopt;
    if (!is_valid_utf8(line)) return std::nullopt;
    auto blank = line.find(' ');
    std::string_view verb = line.substr(0, blank);
    for (char c : verb)
        if (!is_letter(c)) return std::nullopt;
    SmtpCommandLine command;
    for (const VerbName& known : kVerbs)
        if (equals_ignore_case(known.name, verb)) command.verb = known.verb;
    if (blank == std::string_view::npos) return command;
    command.arguments = line.substr(blank + 1);
    auto end = command.arguments.find_last_not_of(' ');
    command.arguments = command.arguments.substr(0, end == std::string_view::npos ? 0 : end + 1);
    return command;
}

std::expected<MailCommand, SmtpReply> parse_mail(std::string_view arguments, const SmtpLimits& limits) {
    if (!starts_with_ignore_case(arguments, "FROM:")) return refuse(501, "5.5.4 Invalid parameters");
    auto path = parse_path(arguments.substr(5), NullPath::Allowed, limits.path);
    if (!path) return refuse(501, "5.5.4 Invalid FROM: " + path.error());
    MailCommand mail;
    mail.sender = std::move(path->address);
    auto error =
        for_each_parameter(path->rest, "MAIL", [&](const Parameter& p) { return take_mail_parameter(mail, p); });
    if (error) return std::unexpected(std::move(*error));
    return mail;
}

std::expected<RcptCommand, SmtpReply> parse_rcpt(std::string_view arguments, const SmtpLimits& limits) {
    if (!starts_with_ignore_case(arguments, "TO:")) return refuse(501, "5.5.4 Invalid parameters");
    auto path = parse_path(arguments.substr(3), NullPath::Refused, limits.path);
    if (!path) return refuse(501, "5.5.4 Invalid TO: " + path.error());
    RcptCommand rcpt;
    rcpt.recipient = std::move(path->address);
    auto error =
        for_each_parameter(path->rest, "RCPT", [&](const Parameter& p) { return take_rcpt_parameter(rcpt, p); });
    if (error) return std::unexpected(std::move(*error));
    return rcpt;
}

std::expected<BdatCommand, SmtpReply> parse_bdat(std::string_view arguments) {
    auto words = split_words(arguments);
    auto size = words.empty() ? std::nullopt : parse_uint64(words[0]);
    if (!size) return refuse(501, "5.5.4 Invalid chunk size parameter");
    if (words.size() > 2 || (words.size() == 2 && !equals_ignore_case(words[1], "LAST")))
        return refuse(501, "5.5.4 Invalid parameters");
    return BdatCommand{*size, words.size() == 2};
}

std::optional<std::string> decode_xtext(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        char c = text[i];
        if (c == '=' || c == ' ' || is_control(c)) return std::nullopt;
        if (c != '+') {
            out += c;
            continue;
        }
        auto code = text.size() - i > 2 ? hex_decode(text.substr(i + 1, 2)) : std::nullopt;
        if (!code) return std::nullopt;
        out += *code;
        i += 2;
    }
    return out;
}

}  // namespace culver
