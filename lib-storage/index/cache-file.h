// CacheFile: culver.cache, an append-only store of values per uid and field (docs/index-format.md). Only what can be
// made again from the messages: rubbish in it is dropped, never believed, never fatal. Not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "lib-base/result.h"
#include "lib-base/unique-fd.h"
#include "lib-storage/index/mapped-file.h"

namespace culver {

class CacheFile {
public:
    // Without a path values live as long as this object (bounded).
    CacheFile(std::string path, std::uint32_t uid_validity, unsigned mode);
    ~CacheFile();
    CacheFile(const CacheFile&) = delete;
    CacheFile& operator=(const CacheFile&) = delete;

    // Valid until the next call of a function that is not const.
    std::optional<std::string_view> find(std::uint32_t uid, std::uint8_t field);
    // True if there is something to write out now.
    bool add(std::uint32_t uid, std::uint8_t field, std::string_view value);
    // Appends what was added; failures only cost speed.
    void write_out();
    // Rewrites the file without the values of uids that `is_alive` denies, if that is worth it.
    void drop_dead(const std::function<bool(std::uint32_t)>& is_alive);

    static constexpr std::size_t kValueLimit = 1 << 20;

private:
    static std::uint64_t key(std::uint32_t uid, std::uint8_t field) {
        return (static_cast<std::uint64_t>(uid) << 8) | field;
    }
    bool open(bool create);
    void close();
    void read_new_records();
    bool map_up_to(std::uint64_t size);
    void append_pending();

    const std::string path_;
    const std::uint32_t uid_validity_;
    const unsigned mode_;
    UniqueFd fd_;
    MappedFile map_;  // may reach past the end of the file
    std::uint64_t read_up_to_ = 0;
    bool tried_ = false, gave_up_ = false;
    std::unordered_map<std::uint64_t, std::uint64_t> offsets_;  // key -> record in the file
    std::unordered_map<std::uint64_t, std::string> pending_;    // not in the file yet
    std::size_t pending_bytes_ = 0;
};

// Pure: one record. Its whole length in the file, or 0 if these bytes are none.
struct CacheRecord {
    std::uint32_t uid = 0;
    std::uint8_t field = 0;
    std::string_view value;
    std::size_t length = 0;
    bool intact = false;  // the checksum is right; checked only on request
};
CacheRecord parse_cache_record(std::string_view bytes, bool check);

}  // namespace culver
