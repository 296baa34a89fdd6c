// IDLE: the server tells news as they happen, until DONE. RFC 2177.
//
// The session is parked while it idles; the mailbox wakes it within milliseconds of a change.
#include <algorithm>

#include "imapd/commands.h"
#include "imapd/session.h"
#include "lib-base/text.h"

namespace culver {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kLineLimit = 1024;
constexpr std::chrono::milliseconds kWithoutKeepAlive = std::chrono::minutes(30);

class Idle final : public Command {
public:
    void parse(Parser&) override {}

    Reply run(Session& session) override {
        session.out().append("+ idling\r\n");
        interval_ = session.settings().time("imap_idle_notify_interval");
        // Subscribed before the first look, so that nothing falls between.
        if (session.selected()) subscription_ = session.mailbox().subscribe(session.waker());
        next_keep_alive_ = Clock::now() + interval_;
        return tell_and_wait(session);
    }

    Reply resume(Session& session) override {
        const std::string_view input = session.client().input();
        const auto lf = input.find('\n');
        if (lf == std::string_view::npos && input.size() <= kLineLimit) return tell_and_wait(session);
        const std::string_view line = trim(input.substr(0, std::min(lf, input.size())).substr(0, kLineLimit));
        const bool done = equals_ignore_case(line.ends_with('\r') ? line.substr(0, line.size() - 1) : line, "DONE");
        session.client().consume(lf == std::string_view::npos ? input.size() : lf + 1);
        subscription_.reset();
        return done ? Reply::ok("Idle completed.") : Reply::bad("Expected DONE.");
    }

private:
    Reply tell_and_wait(Session& session) {
        if (auto synced = session.sync(MailboxView::Expunges::Report); !synced) {
            subscription_.reset();
            if (synced.error().code != ErrorCode::NotFound) return Reply::from(synced.error());
            session.untagged("BYE Selected mailbox was deleted, have to disconnect.");
            session.end();
            return Reply::close();
        }
        if (interval_.count() == 0) return Reply::wait(kWithoutKeepAlive);
        const auto now = Clock::now();
        if (now >= next_keep_alive_) {
            session.untagged("OK Still here");
            next_keep_alive_ = now + interval_;
        }
        return Reply::wait(std::chrono::duration_cast<std::chrono::milliseconds>(next_keep_alive_ - now) +
                           std::chrono::milliseconds(1));
    }

    std::unique_ptr<Mailbox::Subscription> subscription_;
    std::chrono::milliseconds interval_{0};
    Clock::time_point next_keep_alive_;
};

}  // namespace

const CommandSpec kIdle = {"IDLE", States::Authenticated, Effects::Syncs | Effects::IgnoresArguments,
                           make_command<Idle>};

}  // namespace culver
