#include "lib-auth/login-trail.h"

#include <fmt/format.h>

#include "lib-auth/auth-request.h"
#include "lib-net/ip-address.h"

namespace culver {

namespace {
constexpr std::size_t kBucketLimit = 10'000;
constexpr std::chrono::minutes kMinute{1};

std::string login_line(std::string_view verdict, const AuthRequest& request) {
    std::string line = fmt::format("Login {}: user=<{}>", verdict, request.user);
    auto add = [&](std::string_view key, std::string_view value) {
        if (!value.empty()) line += fmt::format(", {}={}", key, value);
    };
    if (!request.master_user.empty()) line += fmt::format(", master=<{}>", request.master_user);
    else if (!request.login_user.empty()) line += fmt::format(", wants=<{}>", request.login_user);
    add("service", request.service);
    add("mech", request.mechanism);
    add("rip", request.remote_ip);
    if (!request.session.empty()) line += fmt::format(", session=<{}>", request.session);
    line += ": ";
    line += request.trail.empty() ? std::string_view("no database was asked") : std::string_view(request.trail.text());
    return line;
}

// As the penalties count, but IPv6 by its usual network: an address must not hide another's line behind its own.
std::string bucket_of(std::string_view remote_ip) {
    auto address = IpAddress::parse(remote_ip);
    if (!address || !address->is_ipv6()) return std::string(remote_ip);
    return std::string(reinterpret_cast<const char*>(address->bytes().data()), 8);
}
}  // namespace

void LoginTrail::add(std::string_view who, std::string_view what) {
    if (text_.size() >= kLimit) return;
    if (text_.empty()) text_.reserve(who.size() + what.size() + 2);
    else text_ += "; ";
    text_ += who;
    text_ += ": ";
    text_ += what;
    if (text_.size() < kLimit) return;
    text_.resize(kLimit);
    text_ += "...";
}

void LoginTrail::remark(std::string_view more) {
    if (text_.size() + more.size() >= kLimit) return;
    text_ += " (";
    text_ += more;
    text_ += ')';
}

std::string login_refused_line(const AuthRequest& request) { return login_line("refused", request); }
std::string login_accepted_line(const AuthRequest& request) { return login_line("accepted", request); }
std::string login_abandoned_line(const AuthRequest& request) { return login_line("abandoned", request); }

bool RefusalLogLimit::allows(std::string_view remote_ip, Clock::time_point now, std::uint64_t& skipped) {
    skipped = 0;
    std::string key = bucket_of(remote_ip);
    auto it = buckets_.find(key);
    if (it == buckets_.end()) {
        // Addresses that have been quiet for a minute have nothing to remember; if all are busy, start anew.
        if (buckets_.size() >= kBucketLimit)
            std::erase_if(buckets_, [&](const auto& item) { return now - item.second.start >= kMinute; });
        if (buckets_.size() >= kBucketLimit) buckets_.clear();
        it = buckets_.try_emplace(std::move(key)).first;
        it->second.start = now;
    }
    Bucket& bucket = it->second;
    if (now - bucket.start >= kMinute) {
        bucket.start = now;
        bucket.logged = 0;
    }
    if (bucket.logged >= kPerMinute) {
        ++bucket.skipped;
        return false;
    }
    ++bucket.logged;
    std::swap(skipped, bucket.skipped);
    return true;
}

}  // namespace culver
