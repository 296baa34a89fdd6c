// Command: one IMAP command of one session. A class per command in imapd/commands/, a CommandSpec each, listed in
// command-table.cpp.
//
// `parse` reads the arguments; Parser keeps its first error, so it needs no `if`. `run` is plain blocking code: it may
// wait for the disk and for the client. The session alone checks state, order and pipelining, by the spec.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "imapd/reply.h"

namespace culver {

class Parser;
class Session;

class Command {
public:
    virtual ~Command() = default;
    // Called once, before run. Looks at the text alone; no I/O. Ends with in.end() where the grammar allows no more.
    virtual void parse(Parser& in) = 0;
    // The untagged responses are written to the session; what is returned becomes the tagged one.
    virtual Reply run(Session& session) = 0;
    // Only after Reply::wait: something happened, or the time is over. The session was parked meanwhile.
    virtual Reply resume(Session& session);
};

// In which states a command exists (RFC 3501 §3).
enum class States : std::uint8_t {
    Any,            // authenticated or selected (not authenticated belongs to the login process)
    Authenticated,  // the same; says that the command needs a user
    Selected,       // BAD "No mailbox selected" otherwise
};

// What a command does to the view of the selected mailbox; decides which untagged responses may be sent when.
namespace Effects {
enum : std::uint32_t {
    None = 0,
    // Its arguments or answers are message sequence numbers. Expunges found by the command before it are held back if
    // a command with this flag waits in the pipeline: its numbers were chosen before the client could know.
    UsesSeqs = 1,
    // RFC 3501 §7.4.1: no EXPUNGE while it runs (FETCH, STORE, SEARCH; not their UID forms).
    HoldsExpunges = 2,
    // After it has run, what changed in the selected mailbox is told before the tagged reply.
    Syncs = 4,
    // The selected mailbox is closed ("* OK [CLOSED]") before its arguments are looked at: SELECT, EXAMINE.
    ClosesMailbox = 8,
    // Its last argument is a literal of any size that the command reads itself: APPEND.
    StreamsLiteral = 16,
    // Arguments are ignored: NOOP, LOGOUT, CHECK ...
    IgnoresArguments = 32,
};
}

template <class C>
std::unique_ptr<Command> make_command() {
    return std::make_unique<C>();
}

struct CommandSpec {
    std::string_view name;  // upper case; "UID FETCH" for the UID forms
    States states = States::Authenticated;
    std::uint32_t effects = Effects::None;
    std::unique_ptr<Command> (*make)() = nullptr;
};

// Nothing if there is no such command. `name` in upper case.
const CommandSpec* find_command(std::string_view name);

}  // namespace culver
