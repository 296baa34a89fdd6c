#include "login/imap/prelogin-command.h"

#include <string.h>

#include "lib-base/text.h"
#include "lib-imap/parser.h"

namespace culver {
namespace {

using Name = PreloginCommand::Name;

constexpr char kError[] = "Error in IMAP command received by server.";
constexpr std::size_t kIdPairs = 30, kIdValueLimit = 1024;

Name command_name(std::string_view name) {
    static constexpr std::pair<std::string_view, Name> kNames[] = {
        {"LOGIN", Name::Login},
        {"AUTHENTICATE", Name::Authenticate},
        {"CAPABILITY", Name::Capability},
        {"NOOP", Name::Noop},
        {"LOGOUT", Name::Logout},
        {"STARTTLS", Name::StartTls},
        {"ID", Name::Id},
    };
    for (auto [text, value] : kNames)
        if (text == name) return value;
    return Name::Invalid;
}

// RFC 2971: NIL, or a list of pairs. What the client says about itself is read and forgotten, but for x-*.
void parse_id(Parser& in, Forwarded& forwarded) {
    in.space();
    if (in.next_is_list()) {
        in.open_list();
        std::size_t words = 0;
        std::string key;
        while (in.more()) {
            auto value = in.nstring();
            if (++words > 2 * kIdPairs || (value && value->size() > kIdValueLimit)) in.fail(kError);
            if (words % 2 == 1) key = value.value_or("");
            else if (value) forwarded.take(key, *value);
        }
        in.close_list();
    } else if (!in.skip_atom("NIL")) {
        in.fail(kError);
    }
    in.end();
}

void parse_arguments(PreloginCommand& command, Parser& in) {
    switch (command.name) {
        case Name::Login:
            command.user = in.space().astring();
            command.password = in.space().astring();
            in.end();
            break;
        case Name::Authenticate:
            command.mechanism = to_upper(in.space().atom());
            if (in.more()) command.initial_response = std::string(in.space().atom());
            in.end();
            break;
        case Name::Id: parse_id(in, command.forwarded); break;
        default: break;  // further arguments are ignored
    }
}

}  // namespace

PreloginCommand::~PreloginCommand() {
    ::explicit_bzero(password.data(), password.size());
    if (initial_response) ::explicit_bzero(initial_response->data(), initial_response->size());
}

PreloginCommand parse_prelogin_command(std::string_view line) {
    PreloginCommand command;
    const CommandHead head = split_command(line);
    if (head.tag_is_valid) command.tag = std::string(head.tag);
    command.error = kError;
    if (!head.error.empty()) return command;
    Parser in(head.arguments);
    if (!in.ok()) {
        command.error = in.error().text;
        return command;
    }
    command.name = command_name(head.name);
    parse_arguments(command, in);
    if (!in.ok()) command.name = Name::Invalid;
    return command;
}

}  // namespace culver
