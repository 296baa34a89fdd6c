// LoginTrail: what each database said about one login, in words, and the line of the log that is made of it.
//
//     Login refused: user=<alice>, service=imap, mech=PLAIN, rip=192.0.2.1, session=<xyz>:
//         passwd-file(/etc/dovecot/users): password mismatch; pam(dovecot): unknown user
//
// docs/auth.md explains the words. No line of Debian's fail2ban filter matches it: those that do are written elsewhere,
// once for each failure.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

namespace culver {

struct AuthRequest;

// Bounded: what comes after kLimit bytes is left out. A login that one database lets in costs one small string.
class LoginTrail {
public:
    static constexpr std::size_t kLimit = 1000;

    // "; who: what" behind what is there.
    void add(std::string_view who, std::string_view what);
    // " (more)" behind what was added last.
    void remark(std::string_view more);
    const std::string& text() const { return text_; }
    bool empty() const { return text_.empty(); }

private:
    std::string text_;
};

// The whole line; the log itself replaces control bytes. Neither passwords nor hashes are in it.
std::string login_refused_line(const AuthRequest& request);
std::string login_accepted_line(const AuthRequest& request);
std::string login_abandoned_line(const AuthRequest& request);

// How many refusals (and logins given up) of one address are worth a line: 60 a minute (IPv6 by /64), then their number
// once a minute. The penalty keeps a single guesser far below that. Bounded; one thread.
class RefusalLogLimit {
public:
    using Clock = std::chrono::steady_clock;

    // True: log it. `skipped` is then how many were not logged since the last one that was.
    bool allows(std::string_view remote_ip, Clock::time_point now, std::uint64_t& skipped);

    static constexpr unsigned kPerMinute = 60;

private:
    struct Bucket {
        Clock::time_point start;
        unsigned logged = 0;
        std::uint64_t skipped = 0;
    };
    std::unordered_map<std::string, Bucket> buckets_;
};

}  // namespace culver
