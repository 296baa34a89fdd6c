#include "login/core/backend.h"

#include <fmt/format.h>
#include <string.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "login/core/backend-tls.h"

namespace culver {
namespace {

constexpr std::size_t kLineLimit = 8 << 10, kInputLimit = 64 << 10, kBlock = 8 << 10;
constexpr unsigned kComplaintLimit = 5;
constexpr std::chrono::milliseconds kRetryAfter{1000};

// Passwords do not stay in freed memory.
void wipe(std::string& text) {
    ::explicit_bzero(text.data(), text.size());
    text.clear();
}

std::string printable(std::string_view text) {
    std::string result(text.substr(0, 300));
    for (char& c : result)
        if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) c = '?';
    return result;
}

}  // namespace

Backend::Backend(EventLoop& loop, const ProxyTarget& target, BackendTls& tls, Options options,
                 MakeDialogue make_dialogue, Done done)
    : loop_(loop),
      target_(target),
      tls_(tls),
      options_(std::move(options)),
      make_dialogue_(std::move(make_dialogue)),
      done_(std::move(done)),
      started_(EventLoop::Clock::now()) {
    deadline_ = loop_.after(target_.timeout, [this] { on_timeout(); });
    retry_ = loop_.after(std::chrono::milliseconds(0), [this] { connect(); });
}

Backend::~Backend() { close(); }

void Backend::connect() {
    retry_ = 0;
    input_.clear();
    wipe(output_);
    received_ = 0;
    sent_ = 0;
    complaints_ = 0;
    local_.reset();
    tls_wants_write_ = false;
    dialogue_ = make_dialogue_();
    state_ = State::Connecting;
    auto fd = start_connecting(target_.address, target_.port, target_.source);
    if (!fd) {
        const bool is_ours = fd.error().detail.starts_with("bind(");
        return lost(is_ours ? fd.error().detail
                            : fmt::format("connect({}, {}) {}", target_.address.to_string(), target_.port,
                                          fd.error().detail.substr(fd.error().detail.find(' ') + 1)));
    }
    connection_.fd = std::move(*fd);
    local_ = local_endpoint(connection_.fd.get());
    watched_ = true;
    loop_.watch(connection_.fd.get(), Interest::Write, [this](Ready ready) { on_ready(ready); });
}

void Backend::on_ready(Ready ready) {
    switch (state_) {
        case State::Waiting: return;
        case State::Connecting: return on_connected();
        case State::Handshaking: return continue_handshake();
        case State::Talking: break;
    }
    if (ready.writable) {
        tls_wants_write_ = false;
        flush();
    }
    if (state_ == State::Talking) read();
}

void Backend::on_connected() {
    if (Status status = finish_connecting(connection_.fd.get()); !status)
        return lost(fmt::format("connect({}, {}) {}", target_.address.to_string(), target_.port,
                                status.error().detail.substr(status.error().detail.find(' ') + 1)));
    local_ = local_endpoint(connection_.fd.get());
    if (target_.tls == ProxyTarget::Tls::AtOnce) return start_tls();
    state_ = State::Talking;
    set_interest();
}

void Backend::start_tls() {
    auto stream = tls_.start(connection_.fd.get(), target_);
    if (!stream) return fail("Aborting due to internal error: " + stream.error().detail, true);
    connection_.tls = std::move(*stream);
    state_ = State::Handshaking;
    continue_handshake();
}

void Backend::continue_handshake() {
    const TlsStep step = connection_.tls->handshake();
    switch (step) {
        case TlsStep::WantRead:
        case TlsStep::WantWrite: tls_wants_write_ = step == TlsStep::WantWrite; return set_interest();
        case TlsStep::Closed: return lost("Disconnected by server: Connection closed");
        case TlsStep::Failed: {
            const std::string& why = connection_.tls->error();
            if (why.starts_with("Received invalid SSL certificate"))  // no second try makes it better
                return fail(printable(why) + " (check ssl_client_ca_* settings?)", false);
            return lost("Disconnected by server: Connection closed: " + printable(why));
        }
        case TlsStep::Done: break;
    }
    tls_wants_write_ = false;
    state_ = State::Talking;
    if (target_.tls == ProxyTarget::Tls::StartTls && !take_step(dialogue_->on_tls())) return;
    read();
}

TlsStep Backend::read_block(char* block, std::size_t size, std::size_t* got) {
    if (connection_.tls) return connection_.tls->read(block, size, got);
    ssize_t n;
    do n = ::recv(connection_.fd.get(), block, size, 0);
    while (n < 0 && errno == EINTR);
    *got = n > 0 ? static_cast<std::size_t>(n) : 0;
    if (n > 0) return TlsStep::Done;
    return n == 0 ? TlsStep::Closed : errno == EAGAIN ? TlsStep::WantRead : TlsStep::Failed;
}

void Backend::read() {
    char block[kBlock];
    for (;;) {
        std::size_t got = 0;
        switch (read_block(block, sizeof block, &got)) {
            case TlsStep::Done: break;
            case TlsStep::WantWrite: tls_wants_write_ = true; return set_interest();
            case TlsStep::WantRead: return set_interest();
            case TlsStep::Closed: return lost("Disconnected by server: Connection closed");
            case TlsStep::Failed:
                return lost("Disconnected by server: Connection closed: " + (connection_.tls
                                                                                 ? printable(connection_.tls->error())
                                                                                 : std::string(std::strerror(errno))));
        }
        input_.append(block, got);
        received_ += got;
        if (!take_lines()) return;
    }
}

// These two: false when this connection is not to be read on, or when there is no Backend any more.
bool Backend::take_lines() {
    for (;;) {
        const auto end = input_.find('\n');
        if ((end == std::string::npos ? input_.size() : end) > kLineLimit) {
            fail("Remote server sent invalid input: Too long input line");
            return false;
        }
        if (end == std::string::npos) break;
        std::string line = input_.substr(0, end);
        input_.erase(0, end + 1);
        if (line.ends_with('\r')) line.pop_back();
        if (!take_step(dialogue_->on_line(line))) return false;
    }
    if (received_ <= kInputLimit) return true;
    fail("Remote server sent invalid input: Too much input before the login");
    return false;
}

bool Backend::take_step(ProxyStep step) {
    std::string output = dialogue_->take_output();
    output_ += output;
    wipe(output);
    flush();
    switch (step.kind) {
        case ProxyStep::Kind::GoOn:
            if (!step.text.empty() && ++complaints_ <= kComplaintLimit && options_.complain)
                options_.complain(printable(step.text));
            return true;
        case ProxyStep::Kind::StartTls:
            // Whoever sits in between must not put words into the server's mouth.
            if (!input_.empty()) fail("Remote server sent invalid input: Data in the clear behind STARTTLS", true);
            else start_tls();
            return false;
        case ProxyStep::Kind::Failed: fail(printable(step.text), step.needs_admin); return false;
        case ProxyStep::Kind::LoggedIn:
        case ProxyStep::Kind::Refused: break;
    }
    BackendOutcome outcome;
    outcome.kind = step.kind;
    outcome.text = std::move(step.text);
    outcome.log = printable(step.log);
    outcome.is_guess = step.is_guess;
    finish(std::move(outcome));
    return false;
}

void Backend::flush() {
    std::size_t done = 0;
    while (done < output_.size()) {
        const std::string_view rest = std::string_view(output_).substr(done);
        std::size_t taken = 0;
        if (connection_.tls) {
            const TlsStep step = connection_.tls->write(rest, &taken);
            if (step != TlsStep::Done) break;
        } else {
            const ssize_t n = ::send(connection_.fd.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) break;  // full, or broken: then the next read finds out
            taken = static_cast<std::size_t>(n);
        }
        done += taken;
    }
    sent_ += done;
    if (done == output_.size()) return wipe(output_);
    std::string rest = output_.substr(done);
    wipe(output_);
    output_ = std::move(rest);
}

void Backend::set_interest() {
    const bool writes = !output_.empty() || tls_wants_write_;
    loop_.set_interest(connection_.fd.get(), writes ? Interest::ReadWrite : Interest::Read);
}

long Backend::seconds_since_start() const {
    return std::chrono::duration_cast<std::chrono::seconds>(EventLoop::Clock::now() - started_).count();
}

std::string Backend::when_and_where() const {
    std::string text = fmt::format("after {} secs", seconds_since_start());
    if (reconnects_ > 0) text += fmt::format(", {} reconnects", reconnects_);
    if (local_) text += fmt::format(", local={}:{}", local_->address.to_string(), local_->port);
    else if (target_.source) text += ", local=" + target_.source->to_string();
    return text;
}

void Backend::on_timeout() {
    deadline_ = 0;
    if (state_ == State::Connecting || state_ == State::Waiting)
        return fail(
            fmt::format("connect({}, {}) timed out ({})", target_.address.to_string(), target_.port, when_and_where()));
    fail(fmt::format("Login timed out in state={} ({})", dialogue_->state(), when_and_where()));
}

// The server may be restarting just now: a little later it may be there.
void Backend::lost(std::string why) {
    const bool had_connected = state_ != State::Connecting;
    if (reconnects_ < options_.max_reconnects && EventLoop::Clock::now() - started_ + kRetryAfter < target_.timeout) {
        close_connection();
        ++reconnects_;
        state_ = State::Waiting;
        retry_ = loop_.after(kRetryAfter, [this] { connect(); });
        return;
    }
    if (!had_connected) return fail(fmt::format("{} ({})", why, when_and_where()));
    fail(fmt::format("{} (state={}, duration={}s)", why, dialogue_->state(), seconds_since_start()));
}

void Backend::fail(std::string why, bool needs_admin) {
    BackendOutcome outcome;
    outcome.log = std::move(why);
    outcome.needs_admin = needs_admin;
    finish(std::move(outcome));
}

void Backend::close_connection() {
    if (std::exchange(watched_, false)) loop_.unwatch(connection_.fd.get());
    if (connection_.tls) connection_.tls->shutdown();
    connection_ = {};
}

void Backend::close() {
    loop_.cancel(std::exchange(deadline_, 0));
    loop_.cancel(std::exchange(retry_, 0));
    close_connection();
    wipe(output_);
}

// The last thing that a Backend does: it may be destroyed in there.
void Backend::finish(BackendOutcome outcome) {
    if (outcome.kind == ProxyStep::Kind::LoggedIn) {
        if (std::exchange(watched_, false)) loop_.unwatch(connection_.fd.get());
        outcome.connection = std::move(connection_);
        outcome.surplus = std::move(input_);
        outcome.bytes_sent = sent_;
    }
    close();
    const Done done = std::move(done_);
    done(std::move(outcome));
}

}  // namespace culver
