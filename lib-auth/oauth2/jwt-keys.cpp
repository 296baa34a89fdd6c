#include "lib-auth/oauth2/jwt-keys.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>

namespace culver {

namespace {
constexpr std::size_t kFileLimit = 64 * 1024, kKeyLimit = 200;
}

Result<std::shared_ptr<const JwtKey>> JwtKeys::find(const Jwt& token) {
    if (!is_jwt_algorithm(token.algorithm))
        return fail(ErrorCode::InvalidArgument,
                    fmt::format("Unsupported algorithm '{}'", token.algorithm.substr(0, 20)));
    auto party = path_component_of(token.party), id = path_component_of(token.key_id);
    auto not_found = [&] {
        return fail(ErrorCode::NotFound,
                    fmt::format("{} key '{}' not found", token.algorithm, token.key_id.substr(0, 128)));
    };
    if (!party || !id) return not_found();
    std::string path = fmt::format("{}{}/{}/{}", prefix_, *party, token.algorithm, *id);
    auto stamp = FileStamp::of_path(path);
    if (!stamp) {
        if (errno == ENOENT || errno == ENOTDIR || errno == ENAMETOOLONG) return not_found();
        return fail(Error::from_errno(errno, fmt::format("stat({})", path)));
    }
    {
        std::lock_guard lock(mutex_);
        auto known = keys_.find(path);
        if (known != keys_.end() && known->second.stamp == *stamp) return known->second.key;
    }
    std::string text = TRY(read_file(path, kFileLimit));
    auto key = JwtKey::load(token.algorithm, text);
    ::explicit_bzero(text.data(), text.size());
    if (!key) return fail(ErrorCode::InvalidArgument, fmt::format("{}: {}", path, key.error().detail));
    std::lock_guard lock(mutex_);
    if (keys_.size() >= kKeyLimit) keys_.clear();
    keys_[path] = Entry{*stamp, *key};
    return *key;
}

}  // namespace culver
