#include "lib-storage/list/uid-validity.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <memory>
#include <mutex>

#include "lib-base/file.h"
#include "lib-base/text.h"
#include "lib-base/unique-fd.h"

namespace culver {

namespace {

constexpr std::string_view kFile = "dovecot-uidvalidity";

std::uint32_t parse_value(std::string_view text) {
    if (text.size() != 8) return 0;
    const auto value = parse_hex(text);
    return value && *value <= UINT32_MAX ? static_cast<std::uint32_t>(*value) : 0;
}

std::uint32_t last_from_file(const std::string& path) {
    const auto text = read_file(path, 64);
    return text ? parse_value(trim(*text).substr(0, 8)) : 0;
}

// The largest dovecot-uidvalidity.<hex> in the directory, 0 if there is none.
std::uint32_t last_from_names(const std::string& directory) {
    const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(directory.c_str()), ::closedir);
    std::uint32_t last = 0;
    while (dir) {
        const dirent* entry = ::readdir(dir.get());
        if (!entry) break;
        const std::string_view name = entry->d_name;
        if (name.size() == kFile.size() + 9 && name.starts_with(kFile) && name[kFile.size()] == '.')
            last = std::max(last, parse_value(name.substr(kFile.size() + 1)));
    }
    return last;
}

}  // namespace

Result<std::uint32_t> next_uid_validity(const std::string& root_control, unsigned file_mode) {
    const std::string path = root_control + "/" + std::string(kFile);
    // Guards the temporary file of replace_file, whose name is the process's, against other threads.
    static std::mutex mutex;
    const std::lock_guard lock(mutex);
    const auto claim_path = [&](std::uint32_t value) { return fmt::format("{}.{:08x}", path, value); };
    for (int attempt = 0; attempt < 100; ++attempt) {
        const std::uint32_t recorded = last_from_file(path);
        const auto now = static_cast<std::uint32_t>(::time(nullptr));
        std::uint32_t next = std::max(now, recorded + 1);
        // The usual way: the claim of the last number becomes that of the next. Only one process can rename it.
        bool is_claimed = recorded != 0 && ::rename(claim_path(recorded).c_str(), claim_path(next).c_str()) == 0;
        if (!is_claimed) {
            const std::uint32_t named = last_from_names(root_control);
            next = std::max(now, std::max(recorded, named) + 1);
            if (named != 0) {
                is_claimed = ::rename(claim_path(named).c_str(), claim_path(next).c_str()) == 0;
                if (!is_claimed && errno != ENOENT) return fail_errno("rename(" + claim_path(named) + ")");
            } else {
                const UniqueFd fd(::open(claim_path(next).c_str(), O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444));
                is_claimed = static_cast<bool>(fd);
                if (!is_claimed && errno != EEXIST) return fail_errno("open(" + claim_path(next) + ")");
            }
        }
        if (!is_claimed) continue;
        TRY(replace_file(path, fmt::format("{:08x}", next), file_mode));
        return next;
    }
    return fail(ErrorCode::InUse, path + ": other processes take numbers all the time");
}

}  // namespace culver
