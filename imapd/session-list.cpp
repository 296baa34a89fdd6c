#include "imapd/session-list.h"

#include "lib-base/text.h"

namespace culver {

std::uint64_t SessionList::add(Entry entry) {
    ++counts_[key(entry.username, entry.remote_ip)];
    entries_.emplace(++last_id_, std::move(entry));
    return last_id_;
}

bool SessionList::add_known(std::uint64_t id, Entry entry) {
    std::string user = key(entry.username, entry.remote_ip);
    if (!entries_.emplace(id, std::move(entry)).second) return false;
    ++counts_[std::move(user)];
    return true;
}

void SessionList::set_pid(std::uint64_t id, pid_t pid) {
    if (const auto found = entries_.find(id); found != entries_.end()) found->second.pid = pid;
}

void SessionList::forget(const Entry& entry) {
    const auto found = counts_.find(key(entry.username, entry.remote_ip));
    if (found != counts_.end() && --found->second == 0) counts_.erase(found);
}

SessionList::Entry SessionList::remove(std::uint64_t id) {
    const auto found = entries_.find(id);
    if (found == entries_.end()) return {};
    Entry entry = std::move(found->second);
    entries_.erase(found);
    forget(entry);
    return entry;
}

std::size_t SessionList::remove_all_of(pid_t pid) {
    std::size_t removed = 0;
    for (auto each = entries_.begin(); each != entries_.end();) {
        if (each->second.pid != pid) {
            ++each;
            continue;
        }
        forget(each->second);
        each = entries_.erase(each);
        ++removed;
    }
    return removed;
}

std::uint32_t SessionList::count(const std::string& username, const std::string& remote_ip) const {
    const auto found = counts_.find(key(username, remote_ip));
    return found == counts_.end() ? 0 : found->second;
}

pid_t SessionList::pid_of(std::uint64_t id) const {
    const auto found = entries_.find(id);
    return found == entries_.end() ? 0 : found->second.pid;
}

std::string SessionList::lines() const {
    std::string out;
    for (const auto& [id, entry] : entries_)
        out += tab_escape(entry.username) + "\timap\t" + std::to_string(entry.pid) + "\t" +
               tab_escape(entry.remote_ip) + "\t" + std::to_string(id) + "\n";
    return out;
}

}  // namespace culver
