// SessionList: who is logged in; for `doveadm who` and for mail_max_userip_connections. One thread.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

namespace culver {

class SessionList {
public:
    struct Entry {
        std::string username, remote_ip;
        pid_t pid = 0;
    };

    // Ids begin behind `last_id`.
    explicit SessionList(std::uint64_t last_id = 0) : last_id_(last_id) {}
    // The number of a new session; never used twice.
    std::uint64_t add(Entry entry);
    // A session that an earlier dispatcher began, under the number that it had there. False: it is known already.
    bool add_known(std::uint64_t id, Entry entry);
    void set_pid(std::uint64_t id, pid_t pid);
    // The entry that was there; pid 0 if none.
    Entry remove(std::uint64_t id);
    // A worker died with all its sessions; their number.
    std::size_t remove_all_of(pid_t pid);

    std::uint32_t count(const std::string& username, const std::string& remote_ip) const;
    bool empty() const { return entries_.empty(); }
    // The worker that has it; 0: there is no such session.
    pid_t pid_of(std::uint64_t id) const;
    // One line per session: username TAB "imap" TAB pid TAB ip TAB number LF, each field tab-escaped.
    std::string lines() const;

private:
    static std::string key(const std::string& username, const std::string& remote_ip) {
        return username + '\n' + remote_ip;
    }
    void forget(const Entry& entry);

    std::uint64_t last_id_;
    std::unordered_map<std::uint64_t, Entry> entries_;
    std::unordered_map<std::string, std::uint32_t> counts_;
};

}  // namespace culver
