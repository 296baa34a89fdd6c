// Session: one client that has logged in. The world as the commands see it: the user's mail, the selected mailbox, the
// way to the client.
//
// A session is worked on by one thread at a time (session-pool.h); between two pieces of work it is parked and holds no
// buffers. Everything here is called by the thread that works on it, except wake().
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "imapd/client-stream.h"
#include "imapd/command.h"
#include "lib-config/settings.h"
#include "lib-storage/mail-user.h"
#include "lib-storage/mailbox-view.h"
#include "lib-storage/mailbox.h"

namespace culver {

class SequenceSet;

// Counted for the log line of the session's end (imap_logout_format).
struct SessionStats {
    std::uint64_t deleted = 0;  // messages marked \Deleted
    std::uint64_t expunged = 0;
    std::uint64_t trashed = 0;                                 // copied to a \Trash mailbox
    std::uint64_t fetch_hdr_count = 0, fetch_hdr_bytes = 0;    // FETCH of headers
    std::uint64_t fetch_body_count = 0, fetch_body_bytes = 0;  // FETCH of bodies
    std::uint64_t appended = 0;
};

// The mailbox that SELECT or EXAMINE opened. `view` refers to `mailbox`.
struct SelectedMailbox {
    MailboxName name;
    std::shared_ptr<Mailbox> mailbox;  // shared with the other sessions of this process
    std::unique_ptr<MailboxView> view;
    bool read_only = false;
    std::size_t keywords_told = 0;  // how many of mailbox->keywords() the client has seen in a FLAGS response
    std::uint32_t exists_told = 0, recent_told = 0;
};

// Are the numbers of a set UIDs or sequence numbers?
enum class Numbers { Seqs, Uids };

class Session {
public:
    virtual ~Session() = default;

    // ---- who and where
    virtual MailUser& user() = 0;
    virtual const Settings& settings() const = 0;
    virtual SessionStats& stats() = 0;
    // The tag of the running command (ESEARCH's TAG correlator).
    virtual std::string_view tag() const = 0;

    // ---- the client
    // Untagged responses are appended to out(); complete lines with CRLF. Call flush_if_large() after each line: it
    // sends (and waits for the client, with the 5 minute limit) once enough has gathered.
    std::string& out() { return client().out(); }
    void flush_if_large() { client().flush_if_large(); }
    // "* " + line + CRLF.
    void untagged(std::string_view line);
    // Sends bytes without copying them into out(), for message bodies; what out() holds goes first.
    void write_through(std::string_view bytes) { client().write_through(bytes); }
    // The client has vanished or does not read: what is written goes nowhere; long commands return early.
    bool is_gone() { return client().is_gone(); }
    virtual ClientStream& client() = 0;

    // The session ends after the running command's tagged reply (LOGOUT).
    virtual void end() = 0;
    // Can be called from any thread, at any time (also after the session's end): the waiting command is resumed soon.
    virtual std::function<void()> waker() = 0;

    // ---- the selected mailbox
    SelectedMailbox* selected() { return selected_ ? &*selected_ : nullptr; }
    // Only with States::Selected.
    MailboxView& view();
    Mailbox& mailbox();
    bool is_read_only() const { return selected_ && selected_->read_only; }
    void select(SelectedMailbox selected) { selected_ = std::move(selected); }
    // Closes the selected mailbox without expunging; nothing is said.
    void unselect() { selected_.reset(); }

    // The messages that a set names, ascending, without doubles. Uids that do not exist are left out; a sequence number
    // that does not exist makes it nothing: answer Reply::invalid("Invalid messageset"). "*" is the last message.
    std::optional<std::vector<Uid>> messages_of(const SequenceSet& set, Numbers numbers);

    // ---- CONDSTORE (RFC 7162)
    bool has_condstore() const { return condstore_; }
    // Any command that shows it knows modseqs; tells "* OK [HIGHESTMODSEQ n] Highest" if a mailbox is selected and
    // this is the first time.
    void enable_condstore();

    // ---- what changed (updates.cpp)
    // Appends "(\Seen \Recent $Label1)" for one message; announces keywords that the client has not heard of: call it
    // before the FETCH line is begun, or announce_keywords() once.
    void append_flags(std::string& line, const MessageInfo& info);
    // "* FLAGS (...)" and "* OK [PERMANENTFLAGS ...]" if the mailbox has keywords that the client has not seen.
    void announce_keywords();
    // The same two lines in any case (SELECT).
    void tell_keywords();
    // Tells expunges (unless held), flags, EXISTS and RECENT. Commands with Effects::Syncs need not call it.
    Status sync(MailboxView::Expunges expunges);

protected:
    std::optional<SelectedMailbox> selected_;
    std::vector<std::string> keywords_;  // names by bit, as far as told
    bool condstore_ = false;
};

}  // namespace culver
