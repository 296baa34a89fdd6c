#include "lib-auth/line-connection.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace culver {

namespace {
constexpr std::size_t kReadSize = 64 * 1024;
constexpr std::size_t kOutputLimit = 256 * 1024;  // above it nothing is read until the peer has taken some
}  // namespace

struct LineConnection::State {
    EventLoop& loop;
    UniqueFd fd;
    std::size_t line_limit;
    Callbacks callbacks;
    std::string partial;  // the beginning of a line whose end has not come
    std::string output;
    std::size_t output_sent = 0;
    bool corked = false;  // lines are being handled: collect the output
    bool open = true;
    Interest interest = Interest::Read;

    void on_ready(Ready ready);
    void read_lines();
    void handle(std::string_view bytes);
    void flush();
    void update_interest();
    void shut();
    void end(End why, const std::string& text);
};

void LineConnection::State::shut() {
    if (!open) return;
    open = false;
    loop.unwatch(fd.get());
    fd.reset();
}

void LineConnection::State::end(End why, const std::string& text) {
    if (!open) return;
    shut();
    if (callbacks.on_end) callbacks.on_end(why, text);
}

void LineConnection::State::update_interest() {
    bool pending = output.size() > output_sent;
    Interest wanted = !pending                                     ? Interest::Read
                      : output.size() - output_sent > kOutputLimit ? Interest::Write
                                                                   : Interest::ReadWrite;
    if (wanted == interest) return;
    interest = wanted;
    loop.set_interest(fd.get(), wanted);
}

void LineConnection::State::flush() {
    while (output_sent < output.size()) {
        ssize_t n = ::send(fd.get(), output.data() + output_sent, output.size() - output_sent, MSG_NOSIGNAL);
        if (n < 0) {
            if (errno == EINTR) continue;
            // A broken pipe is noticed by the next read; until then nothing more is sent.
            if (errno != EAGAIN) output_sent = output.size();
            break;
        }
        output_sent += static_cast<std::size_t>(n);
    }
    if (output_sent == output.size()) {
        if (output.capacity() > kOutputLimit) std::string().swap(output);
        output.clear();
        output_sent = 0;
    }
    update_interest();
}

void LineConnection::State::handle(std::string_view bytes) {
    while (open && !bytes.empty()) {
        std::size_t lf = bytes.find('\n');
        if (lf == std::string_view::npos) {
            partial.append(bytes);
            break;
        }
        std::string_view line = bytes.substr(0, lf);
        bytes.remove_prefix(lf + 1);
        if (partial.size() + line.size() > line_limit) {
            end(End::TooLong, "line too long");
            return;
        }
        if (partial.empty()) {
            callbacks.on_line(line);
        } else {
            partial.append(line);
            std::string whole;
            whole.swap(partial);
            callbacks.on_line(whole);
            ::explicit_bzero(whole.data(), whole.size());
        }
    }
    if (open && partial.size() > line_limit) end(End::TooLong, "line too long");
}

void LineConnection::State::read_lines() {
    static thread_local char buffer[kReadSize];
    ssize_t n = ::recv(fd.get(), buffer, sizeof buffer, 0);
    if (n < 0) {
        if (errno == EAGAIN || errno == EINTR) return;
        end(End::Broken, std::strerror(errno));
        return;
    }
    if (n == 0) {
        end(End::Eof, "EOF");
        return;
    }
    corked = true;
    handle({buffer, static_cast<std::size_t>(n)});
    corked = false;
    ::explicit_bzero(buffer, static_cast<std::size_t>(n));  // passwords pass through here
    if (open) flush();
}

void LineConnection::State::on_ready(Ready ready) {
    if (open && ready.writable) flush();
    if (open && ready.readable) read_lines();
}

LineConnection::LineConnection(EventLoop& loop, UniqueFd fd, std::size_t line_limit, Callbacks callbacks)
    : state_(std::make_shared<State>(State{loop, std::move(fd), line_limit, std::move(callbacks), {}, {}})) {
    loop.watch(state_->fd.get(), Interest::Read, [state = state_](Ready ready) { state->on_ready(ready); });
}

LineConnection::~LineConnection() { close(); }

void LineConnection::write(std::string_view bytes) {
    if (!state_->open) return;
    state_->output.append(bytes);
    if (!state_->corked) state_->flush();
}

void LineConnection::close() {
    if (!state_->open) return;
    state_->flush();
    state_->shut();
}

bool LineConnection::is_open() const { return state_->open; }
int LineConnection::fd() const { return state_->fd.get(); }

}  // namespace culver
