#include "lmtpd/connection.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>

#include "lib-base/log.h"
#include "lib-delivery/session-id.h"
#include "lib-net/ip-address.h"

namespace culver {
namespace {

constexpr std::chrono::seconds kIdleLimit{60}, kDataLimit{120}, kLookupLimit{60};
constexpr std::size_t kReadSize = 64 << 10;
constexpr std::size_t kUsernameLimit = 255;
// From this size on, a message for several recipients goes to the workers as a file and not as a copy for each.
constexpr std::size_t kSharedMessage = 16 << 10;

std::string address_of(int fd, int (*get)(int, sockaddr*, socklen_t*)) {
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;
    if (get(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return {};
    auto address = IpAddress::from_sockaddr(reinterpret_cast<sockaddr*>(&storage));
    return address ? address->to_string() : std::string();
}

SmtpDialogueOptions dialogue_options(const Settings& settings) {
    SmtpDialogueOptions options;
    options.hostname = own_hostname(settings.string("hostname"));
    options.greeting = settings.string("login_greeting");
    return options;
}

SmtpReply temporary_failure(const std::string& shown) {
    return {451, "4.3.0 <" + shown + "> Temporary internal error"};
}

}  // namespace

Connection::Connection(FrontContext& front, UniqueFd fd, Tls tls, std::function<void()> on_end)
    : front_(front),
      settings_(front.settings),
      stream_(std::move(fd)),
      on_end_(std::move(on_end)),
      options_(dialogue_options(*settings_)),
      dialogue_(options_, *this),
      session_(new_session_id()),
      last_heard_(EventLoop::Clock::now()) {
    facts_.hostname = options_.hostname;
    facts_.remote_ip = address_of(stream_.fd(), ::getpeername);
    local_ip_ = address_of(stream_.fd(), ::getsockname);
    peer_ = facts_.remote_ip.empty() ? "local" : facts_.remote_ip;
    const int on = 1;
    if (!facts_.remote_ip.empty()) ::setsockopt(stream_.fd(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (tls == Tls::Now) tls_state_ = TlsState::Asked;
    options_.offer_starttls = tls == Tls::Later && front_.tls;
}

Connection::~Connection() {
    front_.loop.cancel(timer_);
    front_.loop.cancel(lookup_timer_);
    if (watched_) front_.loop.unwatch(stream_.fd());
    forget_users();
}

void Connection::start() {
    log_info("Connect from " + peer_);
    front_.loop.watch(stream_.fd(), interest_, [self = weak_from_this()](Ready ready) {
        if (auto connection = self.lock()) connection->on_ready(ready);
    });
    watched_ = true;
    check_time();
    if (tls_state_ == TlsState::Asked) return begin_handshake();
    dialogue_.greet();
    flush();
}

// One lazy timer: it looks when the client was last heard of, and runs again when that would be too long ago.
void Connection::check_time() {
    const auto limit = dialogue_.is_receiving_message() ? kDataLimit : kIdleLimit;
    const bool ours_to_wait_for = !dialogue_.wants_input() && output_.empty();  // a lookup or a delivery
    if (ours_to_wait_for) last_heard_ = EventLoop::Clock::now();
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(last_heard_ + limit - EventLoop::Clock::now());
    if (left.count() <= 0) {
        dialogue_.close({421, "4.4.2 " + options_.hostname + " Disconnected for inactivity"},
                        "Disconnected for inactivity");
        output_ += dialogue_.take_output();
        std::size_t taken = 0;
        Interest wait = Interest::Write;
        if (tls_state_ == TlsState::Clear || tls_state_ == TlsState::Secured) stream_.write(output_, &taken, &wait);
        return end(dialogue_.close_reason());
    }
    timer_ = front_.loop.after(left, [self = weak_from_this()] {
        if (auto connection = self.lock()) connection->check_time();
    });
}

void Connection::on_ready(Ready ready) {
    if (tls_state_ == TlsState::Handshake) return handshake();
    if (!output_.empty()) flush();
    if (ended_) return;
    if (ready.readable && dialogue_.wants_input() && output_.empty()) return receive();
    if (ready.hangup) {
        // Gone for good, while its delivery is under way: nothing is to be heard until that has its answer.
        front_.loop.unwatch(stream_.fd());
        watched_ = false;
        if (!output_.empty()) return end("Connection closed" + std::string(dialogue_.unfinished()));
        return;
    }
    update_interest();
    if (interest_ == Interest::Read && !dialogue_.wants_input()) {
        // It talks on while an answer is awaited, which few do: only now is it worth a system call not to listen.
        front_.loop.set_interest(stream_.fd(), Interest::None);
        interest_ = Interest::None;
    }
}

void Connection::receive() {
    static char buffer[kReadSize];  // one thread: whatever is not worked on at once is kept by the dialogue
    std::size_t got = 0;
    Interest wait = Interest::Read;
    switch (stream_.read(buffer, sizeof buffer, &got, &wait)) {
        case ClientStream::Outcome::Done: break;
        case ClientStream::Outcome::Later: return update_interest();
        case ClientStream::Outcome::Closed: return end("Connection closed" + std::string(dialogue_.unfinished()));
        case ClientStream::Outcome::Failed:
            return end("Connection closed: " + stream_.error() + std::string(dialogue_.unfinished()));
    }
    last_heard_ = EventLoop::Clock::now();
    dialogue_.feed({buffer, got});
    // Replies that wait for one to a lookup go out together with it.
    if (lookup_ != 0 && dialogue_.has_output()) return;
    flush();
}

// False if the connection has ended.
bool Connection::send_output() {
    for (;;) {
        if (output_.empty()) output_ = dialogue_.take_output();
        if (output_.empty()) return true;
        std::size_t taken = 0;
        switch (stream_.write(output_, &taken, &wait_for_)) {
            case ClientStream::Outcome::Done: break;
            case ClientStream::Outcome::Later: return true;
            default: end("Connection closed: " + stream_.error()); return false;
        }
        output_.erase(0, taken);
        last_heard_ = EventLoop::Clock::now();
    }
}

void Connection::flush() {
    if (ended_ || !send_output()) return;
    if (output_.empty() && dialogue_.is_closed()) return end(dialogue_.close_reason());
    if (output_.empty() && tls_state_ == TlsState::Asked) return begin_handshake();
    update_interest();
    // Bytes may wait inside TLS, where the socket does not show them.
    if (stream_.is_tls() && output_.empty() && dialogue_.wants_input())
        front_.loop.post([self = weak_from_this()] {
            auto connection = self.lock();
            if (connection && !connection->ended_ && connection->dialogue_.wants_input() && connection->output_.empty())
                connection->receive();
        });
}

void Connection::begin_handshake() {
    if (dialogue_.has_unread_input()) return end("Plaintext was sent behind STARTTLS");
    if (!front_.tls) return end("TLS is asked for, but ssl_cert and ssl_key are not set");
    stream_.begin_tls(front_.tls);
    tls_state_ = TlsState::Handshake;
    handshake();
}

void Connection::handshake() {
    Interest wait = Interest::Read;
    switch (stream_.handshake(&wait)) {
        case ClientStream::Outcome::Later:
            if (wait != interest_) front_.loop.set_interest(stream_.fd(), wait);
            interest_ = wait;
            return;
        case ClientStream::Outcome::Closed: return end("TLS handshaking: Connection closed");
        case ClientStream::Outcome::Failed: return end("TLS handshaking failed: " + stream_.error());
        case ClientStream::Outcome::Done: break;
    }
    tls_state_ = TlsState::Secured;
    facts_.tls = true;
    facts_.hello.clear();
    const bool greeting_due = !options_.offer_starttls;  // TLS from the first byte
    options_.offer_starttls = false;
    dialogue_.restart_after_tls();
    if (greeting_due) dialogue_.greet();
    flush();
}

void Connection::update_interest() {
    if (ended_) return;
    const Interest wanted = !output_.empty() ? wait_for_ : dialogue_.wants_input() ? Interest::Read : Interest::None;
    if (!watched_) {
        if (wanted == Interest::None) return;
        front_.loop.watch(stream_.fd(), wanted, [self = weak_from_this()](Ready ready) {
            if (auto connection = self.lock()) connection->on_ready(ready);
        });
        watched_ = true;
    } else if (wanted == Interest::None && interest_ == Interest::Read) {
        return;  // on_ready stops listening if anything comes
    } else if (wanted != interest_) {
        front_.loop.set_interest(stream_.fd(), wanted);
    }
    interest_ = wanted;
}

void Connection::end(const std::string& reason) {
    if (std::exchange(ended_, true)) return;
    log_info(fmt::format("Disconnect from {}: {} (state={})", peer_, reason, dialogue_.state_name()));
    if (watched_) front_.loop.unwatch(stream_.fd());
    watched_ = false;
    front_.loop.cancel(timer_);
    front_.loop.cancel(lookup_timer_);
    stream_.close();
    forget_users();
    on_end_();
}

void Connection::shut_down() {
    shut_down_ = true;
    if (ended_ || dialogue_.is_delivering()) return;
    if (tls_state_ == TlsState::Handshake) return end("Server shutting down.");
    dialogue_.close({421, "4.3.2 " + options_.hostname + " Shutting down"}, "Server shutting down.");
    flush();
}

void Connection::hello(std::string_view name) { facts_.hello = name; }

SmtpReply Connection::mail(MailCommand&& command) {
    transaction_ = {};
    ++transaction_id_;
    transaction_.session = session_;
    if (++transactions_ > 1) transaction_.session += ":T" + std::to_string(transactions_);
    transaction_.mail = std::move(command);
    return {250, "2.1.0 OK"};
}

void Connection::recipient(RcptCommand&& command) {
    Recipient recipient;
    recipient.shown = command.recipient.to_string();
    recipient.original = std::move(command.original_recipient);
    recipient.index = ++transaction_.asked;
    const auto& known = transaction_.recipients;
    for (std::size_t i = 0; i < known.size() && i < 100; ++i) {
        if (known[i].shown != recipient.shown || known[i].same_as) continue;
        Recipient again = known[i];
        again.same_as = i;
        again.index = recipient.index;
        transaction_.recipients.push_back(std::move(again));
        return dialogue_.finish_recipient({250, "2.1.5 OK"});
    }
    DetailedLocalPart parts = split_detail(command.recipient.local_part, settings_->string("recipient_delimiter"));
    recipient.detail = std::move(parts.detail);
    UserLookup lookup;
    lookup.username = SmtpAddress{parts.user, command.recipient.domain}.username();
    if (lookup.username.size() > kUsernameLimit)
        return dialogue_.finish_recipient(
            {550, "5.1.1 <" + recipient.shown + "> User doesn't exist: name is too long"});
    lookup.service = "lmtp";
    lookup.local_ip = local_ip_;
    lookup.remote_ip = facts_.remote_ip;
    lookup.session = transaction_.session_of(recipient);
    lookup_ = recipient.index;
    lookup_timer_ = front_.loop.after(kLookupLimit, [self = weak_from_this(), shown = recipient.shown] {
        if (auto connection = self.lock()) connection->lookup_timed_out(shown);
    });
    auto self = shared_from_this();
    front_.users.lookup_user(lookup, [self, recipient = std::move(recipient), name = lookup.username,
                                      id = transaction_id_](Result<std::optional<UserRecord>> result) mutable {
        if (self->ended_ || self->dialogue_.is_closed()) return;
        if (self->transaction_id_ != id || self->lookup_ != recipient.index) return;  // it came too late
        self->looked_up(std::move(recipient), name, std::move(result));
    });
}

void Connection::looked_up(Recipient recipient, const std::string& username, Result<std::optional<UserRecord>> result) {
    lookup_ = 0;
    front_.loop.cancel(lookup_timer_);
    SmtpReply reply;
    if (!result) {
        log_error("User lookup for " + username + " failed: " + result.error().detail);
        reply = temporary_failure(recipient.shown);
    } else if (!*result) {
        reply = {550, "5.1.1 <" + recipient.shown + "> User doesn't exist: " + username};
    } else {
        reply = accept(std::move(recipient), std::move(**result));
    }
    dialogue_.finish_recipient(reply);
    flush();
}

void Connection::lookup_timed_out(const std::string& shown) {
    lookup_timer_ = 0;
    if (lookup_ == 0 || ended_ || dialogue_.is_closed()) return;
    lookup_ = 0;
    log_error("User lookup for <" + shown + "> failed: authd did not answer within a minute");
    dialogue_.finish_recipient(temporary_failure(shown));
    flush();
}

SmtpReply Connection::accept(Recipient recipient, UserRecord user) {
    auto identity = delivery_identity(user, *settings_);
    if (!identity) {
        log_error("lmtp(" + user.username + "): " + identity.error().detail);
        return temporary_failure(recipient.shown);
    }
    const auto limit = settings_->number("lmtp_user_concurrency_limit");
    unsigned& deliveries = front_.deliveries[user.username];
    if (limit > 0 && deliveries >= limit)
        return {451, "4.3.0 <" + recipient.shown + "> Too many concurrent deliveries for user"};
    ++deliveries;
    recipient.identity = std::move(*identity);
    recipient.user = std::move(user);
    transaction_.recipients.push_back(std::move(recipient));
    return {250, "2.1.5 OK"};
}

// The counts of lmtp_user_concurrency_limit that this transaction holds.
void Connection::forget_users() {
    for (const Recipient& recipient : transaction_.recipients) {
        if (recipient.same_as) continue;
        auto it = front_.deliveries.find(recipient.user.username);
        if (it != front_.deliveries.end() && --it->second == 0) front_.deliveries.erase(it);
    }
    transaction_.recipients.clear();
}

void Connection::message_begin() {
    transaction_.message = std::make_shared<MessageBuffer>(kInlineMessage, settings_->string("mail_temp_dir"));
    transaction_.date = header_date();
}

void Connection::message_data(std::string_view bytes) { transaction_.message->append(bytes); }

void Connection::message_end(MessageOutcome outcome) {
    auto& recipients = transaction_.recipients;
    if (outcome == MessageOutcome::TooLarge) {
        for (Recipient& each : recipients)
            each.reply = {552, "5.3.4 <" + each.shown + "> Message size exceeds fixed limit"};
        return finish();
    }
    MessageBuffer& message = *transaction_.message;
    const bool shared = recipients.size() > 1 && message.memory().size() > kSharedMessage;
    if (Status kept = shared ? message.finish_in_file() : message.finish(); !kept) {
        log_error("A message could not be received: " + kept.error().detail);
        for (Recipient& each : recipients)
            each.reply = delivery_reply(transaction_, each, false, kept.error().code, *settings_);
        return finish();
    }
    transaction_.unanswered = static_cast<std::size_t>(
        std::count_if(recipients.begin(), recipients.end(), [](const Recipient& each) { return !each.same_as; }));
    for (std::size_t i = 0; i < recipients.size(); ++i)
        if (!recipients[i].same_as) deliver_to(i);
}

void Connection::deliver_to(std::size_t index) {
    const Recipient& recipient = transaction_.recipients[index];
    DeliveryJob job;
    job.username = recipient.user.username;
    job.fields = recipient.user.fields;
    job.local_ip = local_ip_;
    job.remote_ip = facts_.remote_ip;
    job.session = transaction_.session_of(recipient);
    job.sender = transaction_.mail.sender.to_string();
    job.recipient = recipient.shown;
    const bool to_detail = settings_->boolean("lmtp_save_to_detail_mailbox") && !recipient.detail.empty();
    job.mailbox = to_detail ? recipient.detail : "INBOX";
    job.prepend = delivery_headers(transaction_, recipient, facts_, *settings_);
    auto self = shared_from_this();
    front_.channels.deliver(recipient.identity, std::move(job), transaction_.message,
                            [self, index](const DeliveryAnswer& answer) { self->delivered(index, answer); });
}

// The client may be gone by now; what was saved is saved.
void Connection::delivered(std::size_t index, const DeliveryAnswer& answer) {
    if (ended_) return;
    Recipient& recipient = transaction_.recipients[index];
    recipient.reply = delivery_reply(transaction_, recipient, answer.saved, answer.error, *settings_);
    if (--transaction_.unanswered > 0) return;
    finish();
    flush();
}

void Connection::finish() {
    std::vector<SmtpReply> replies;
    for (const Recipient& recipient : transaction_.recipients)
        replies.push_back(recipient.same_as ? transaction_.recipients[*recipient.same_as].reply : recipient.reply);
    dialogue_.finish_data(replies);
    if (shut_down_) dialogue_.close({421, "4.3.2 " + options_.hostname + " Shutting down"}, "Server shutting down.");
}

void Connection::reset() {
    forget_users();
    transaction_ = {};
}

}  // namespace culver
