// ImapSession: reads commands from a client, checks state, order and limits, runs them, and writes tagged replies.
//
// The pool calls work() whenever something happened; it returns when the session has nothing to do until something
// happens again. Parked, the session holds its socket, the view of the selected mailbox and a few strings.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "imapd/session.h"
#include "lib-imap/command-scanner.h"

namespace culver {

struct CommandHead;

// Who the session belongs to and how it began; taken from a SessionJob.
struct SessionStart {
    std::string username, session_id, remote_ip, tag;
    bool capability_sent = false;  // the client has asked CAPABILITY before it logged in
    std::string pending_input;
    std::shared_ptr<const Settings> settings;
    // Opens the user's mail; called on the session's own thread, once.
    std::function<Result<std::shared_ptr<MailUser>>()> open_user;
};

class ImapSession final : public Session {
public:
    using Clock = std::chrono::steady_clock;

    ImapSession(UniqueFd fd, BlockingObserver* observer, SessionStart start, std::function<void()> waker);
    ~ImapSession() override;

    enum class Next {
        Park,   // wait for input or the deadline
        Again,  // more commands are waiting; let others have a turn first
        End,    // the session is over: destroy it
    };
    Next work();
    // When work() should be called even if nothing happens.
    Clock::time_point deadline() const { return deadline_; }
    // From any thread: the next work() says goodbye. Follow it with waking the session.
    void request_shutdown() { shutdown_requested_ = true; }

    // For mail_log_prefix: "imap(bob)<12><abc>: ".
    const std::string& log_prefix() const { return log_prefix_; }

    MailUser& user() override { return *user_; }
    const Settings& settings() const override { return *settings_; }
    SessionStats& stats() override { return *stats_; }
    std::string_view tag() const override { return tag_; }
    ClientStream& client() override { return client_; }
    std::function<void()> waker() override { return waker_; }
    void end() override { ended_ = true; }

private:
    bool begin();
    bool guarded_step();
    bool step();
    bool handle_literal(const ScanResult& found);
    void handle_line(std::string_view line, std::size_t length);
    void start_command(const CommandHead& head, const CommandSpec& spec);
    void run_command(Parser& arguments);
    void finish_command(Reply reply);
    void reply(std::string_view tag, const Reply& reply, std::string_view command);
    void bad(std::string_view tag, std::string_view text, std::string_view code = {});
    bool skip_input();
    bool skip_literal(std::uint64_t size);
    MailboxView::Expunges expunge_policy() const;
    void check_timeout();
    void say_bye(std::string_view text, std::string_view log_text);
    std::string end_reason() const;
    void log_end();

    ClientStream client_;
    std::unique_ptr<SessionStart> start_;  // until the first work()
    std::shared_ptr<MailUser> user_;       // shared with other sessions of the same user
    std::shared_ptr<const Settings> settings_;
    std::unique_ptr<SessionStats> stats_;
    std::function<void()> waker_;
    std::string log_prefix_, session_id_;
    std::string username_, remote_ip_;

    CommandScanner scanner_;
    std::uint64_t skip_bytes_ = 0;  // a refused literal that comes anyway
    bool skip_line_ = false;        // a line that was too long
    bool literal_unread_ = false;   // APPEND: the message has not been read (run was not reached)
    unsigned bad_commands_ = 0;     // in a row

    // The running or waiting command.
    std::unique_ptr<Command> command_;
    const CommandSpec* spec_ = nullptr;
    std::string tag_;
    Clock::time_point command_begin_;
    std::chrono::nanoseconds command_waited_{0}, command_parked_{0};
    Clock::time_point parked_at_;

    Clock::time_point last_input_, deadline_;
    Clock::time_point last_command_end_;
    std::string_view last_command_;  // name, of static storage
    std::string end_reason_;
    std::atomic<bool> shutdown_requested_ = false;
    bool begun_ = false, ended_ = false;
};

}  // namespace culver
