#include "lib-auth/typical-password.h"

#include <algorithm>

namespace culver {

namespace {
constexpr std::size_t kKindLimit = 16;
}

std::string_view password_kind(std::string_view stored) {
    std::size_t end = stored.starts_with('{') ? std::min(stored.find('}'), stored.size() - 1) + 1 : 0;
    if (end == stored.size() || stored[end] != '$') return stored.substr(0, end);
    std::size_t id = stored.find('$', end + 1);
    if (id == stored.npos) return stored.substr(0, end);
    std::string_view name = stored.substr(end + 1, id - end - 1), rest = stored.substr(id + 1);
    // crypt(3) writes a cost behind the method: always, or with SHA only if it is not the default.
    bool has_cost = rest.starts_with("rounds=") || rest.starts_with("m=") || rest.starts_with("v=") ||
                    name.starts_with('2') || name == "y" || name == "gy" || name == "7";
    std::size_t cost = has_cost ? rest.find('$') : rest.npos;
    return stored.substr(0, cost == rest.npos ? id + 1 : id + 1 + cost + 1);
}

void TypicalPassword::remember(const SecretString& stored) {
    if (stored.empty()) return;
    std::string_view name = password_kind(stored.reveal());
    std::lock_guard lock(mutex_);
    auto it = std::find_if(kinds_.begin(), kinds_.end(), [&](const Kind& kind) { return kind.name == name; });
    if (it == kinds_.end()) {
        if (kinds_.size() == kKindLimit) return;
        it = kinds_.insert(it, Kind{std::string(name), stored, 0});
    }
    ++it->count;
    if (it != kinds_.begin() && it->count > kinds_.front().count) std::swap(*it, kinds_.front());
}

std::string TypicalPassword::password() const {
    std::lock_guard lock(mutex_);
    return kinds_.empty() ? std::string() : std::string(kinds_.front().sample.reveal());
}

}  // namespace culver
