#include "lib-storage/index/cache-file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <functional>

#include "lib-base/file.h"
#include "lib-storage/index/byte-codec.h"
#include "lib-storage/index/crc32c.h"

namespace culver {

namespace {

constexpr std::string_view kMagic = "CULVCCH1";
constexpr std::size_t kHeaderSize = 16;    // magic, uidvalidity, version of the meanings
constexpr std::size_t kRecordHeader = 16;  // length, checksum, uid, field
constexpr std::uint32_t kCacheVersion = 1;
constexpr std::size_t kPendingLimit = 4 << 20;
constexpr std::uint64_t kFileLimit = std::uint64_t{8} << 30;

std::size_t padded(std::size_t size) { return (size + 7) & ~std::size_t{7}; }

void encode_record(std::string& out, std::uint32_t uid, std::uint8_t field, std::string_view value) {
    ByteWriter tail;
    tail.number<std::uint32_t>(uid).number<std::uint32_t>(field);
    ByteWriter record;
    record.number<std::uint32_t>(static_cast<std::uint32_t>(value.size()));
    record.number<std::uint32_t>(crc32c(value, crc32c(tail.bytes()))).raw(tail.bytes()).raw(value);
    record.bytes().resize(padded(record.bytes().size()), '\0');
    out += record.bytes();
}

std::string encode_header(std::uint32_t uid_validity) {
    ByteWriter header;
    header.raw(kMagic).number<std::uint32_t>(uid_validity).number<std::uint32_t>(kCacheVersion);
    return std::move(header.bytes());
}

}  // namespace

CacheRecord parse_cache_record(std::string_view bytes, bool check) {
    CacheRecord record;
    ByteReader in(bytes);
    auto size = in.number<std::uint32_t>();
    auto sum = in.number<std::uint32_t>();
    std::string_view tail = bytes.substr(0, kRecordHeader).substr(std::min<std::size_t>(bytes.size(), 8));
    record.uid = in.number<std::uint32_t>();
    auto field = in.number<std::uint32_t>();
    record.value = in.raw(size);
    if (!in.ok() || record.uid == 0 || field == 0 || field > 255 || size > CacheFile::kValueLimit) return {};
    record.field = static_cast<std::uint8_t>(field);
    record.length = padded(kRecordHeader + size);
    if (record.length > bytes.size()) return {};
    record.intact = check && crc32c(record.value, crc32c(tail)) == sum;
    return record;
}

CacheFile::CacheFile(std::string path, std::uint32_t uid_validity, unsigned mode)
    : path_(std::move(path)), uid_validity_(uid_validity), mode_(mode) {}

CacheFile::~CacheFile() { close(); }

void CacheFile::close() {
    map_ = {};
    fd_.reset();
    read_up_to_ = 0;
    offsets_.clear();
}

bool CacheFile::open(bool create) {
    if (path_.empty() || gave_up_) return false;
    struct stat st;
    if (fd_) {
        if (::fstat(fd_.get(), &st) == 0 && st.st_nlink > 0) return true;
        close();
    }
    fd_.reset(::open(path_.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!fd_ && create && errno == ENOENT) {
        if (!replace_file(path_, encode_header(uid_validity_), mode_, false)) return false;
        fd_.reset(::open(path_.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    }
    if (!fd_) return false;
    char header[kHeaderSize] = {};
    bool ours = ::fstat(fd_.get(), &st) == 0 && S_ISREG(st.st_mode) &&
                ::pread(fd_.get(), header, sizeof header, 0) == static_cast<ssize_t>(sizeof header) &&
                std::string_view(header, sizeof header) == encode_header(uid_validity_);
    if (!ours) {
        // Of another life of the mailbox, or rubbish: begin anew.
        fd_.reset();
        if (!create || ::unlink(path_.c_str()) != 0) return false;
        gave_up_ = !replace_file(path_, encode_header(uid_validity_), mode_, false);
        return gave_up_ ? false : open(false);
    }
    read_up_to_ = kHeaderSize;
    return true;
}

bool CacheFile::map_up_to(std::uint64_t size) {
    if (size <= map_.size()) return true;
    // Some room ahead, so that a growing file is not mapped again for each value; nothing past its end is touched.
    auto mapped = MappedFile::map(fd_.get(), static_cast<std::size_t>(size + size / 4 + (1 << 20)));
    if (!mapped) return false;
    map_ = std::move(*mapped);
    return true;
}

void CacheFile::read_new_records() {
    struct stat st;
    if (::fstat(fd_.get(), &st) != 0) return;
    auto size = static_cast<std::uint64_t>(st.st_size);
    if (size < read_up_to_) {  // cut by somebody
        close();
        return;
    }
    if (size == read_up_to_ || size > kFileLimit || !map_up_to(size)) return;
    std::string_view rest(map_.data() + read_up_to_, static_cast<std::size_t>(size - read_up_to_));
    while (!rest.empty()) {
        CacheRecord record = parse_cache_record(rest, false);
        if (record.length == 0) return;  // a torn end; the next writer cuts it
        offsets_[key(record.uid, record.field)] = read_up_to_;
        read_up_to_ += record.length;
        rest.remove_prefix(record.length);
    }
}

std::optional<std::string_view> CacheFile::find(std::uint32_t uid, std::uint8_t field) {
    if (auto pending = pending_.find(key(uid, field)); pending != pending_.end()) return pending->second;
    if (!tried_) {
        tried_ = true;
        if (open(false)) read_new_records();
    }
    auto found = offsets_.find(key(uid, field));
    if (found == offsets_.end() && fd_) {  // another process may have added it
        read_new_records();
        found = offsets_.find(key(uid, field));
    }
    if (found == offsets_.end() || map_.data() == nullptr) return {};
    struct stat st;  // a file that was cut must not be touched past its end
    if (::fstat(fd_.get(), &st) != 0 || static_cast<std::uint64_t>(st.st_size) < read_up_to_) {
        close();
        return {};
    }
    CacheRecord record =
        parse_cache_record({map_.data() + found->second, static_cast<std::size_t>(read_up_to_ - found->second)}, true);
    if (record.length == 0 || !record.intact || record.uid != uid || record.field != field) {
        offsets_.erase(found);
        return {};
    }
    return record.value;
}

bool CacheFile::add(std::uint32_t uid, std::uint8_t field, std::string_view value) {
    if (value.size() > kValueLimit || uid == 0 || pending_bytes_ + value.size() > 4 * kPendingLimit) return false;
    auto [at, is_new] = pending_.insert_or_assign(key(uid, field), std::string(value));
    (void)at;
    pending_bytes_ += is_new ? value.size() + 64 : 0;
    if (pending_bytes_ > kPendingLimit) write_out();
    return !path_.empty() && !pending_.empty();
}

void CacheFile::write_out() {
    if (pending_.empty()) return;
    if (!open(true)) {
        if (pending_bytes_ > kPendingLimit) {  // memory only: forget the oldest by forgetting all
            pending_.clear();
            pending_bytes_ = 0;
        }
        return;
    }
    if (::flock(fd_.get(), LOCK_EX) != 0) return;
    append_pending();
    if (fd_) ::flock(fd_.get(), LOCK_UN);
    if (fd_) read_new_records();
}

void CacheFile::append_pending() {
    read_new_records();
    struct stat st;
    if (!fd_ || ::fstat(fd_.get(), &st) != 0) return;
    if (static_cast<std::uint64_t>(st.st_size) > read_up_to_ &&
        ::ftruncate(fd_.get(), static_cast<off_t>(read_up_to_)) != 0)
        return;
    std::string out;
    for (const auto& [k, value] : pending_)
        encode_record(out, static_cast<std::uint32_t>(k >> 8), static_cast<std::uint8_t>(k & 0xff), value);
    std::size_t done = 0;
    while (done < out.size()) {
        ssize_t n = ::pwrite(fd_.get(), out.data() + done, out.size() - done, static_cast<off_t>(read_up_to_ + done));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            gave_up_ = ::ftruncate(fd_.get(), static_cast<off_t>(read_up_to_)) != 0;
            break;
        }
        done += static_cast<std::size_t>(n);
    }
    pending_.clear();
    pending_bytes_ = 0;
}

void CacheFile::drop_dead(const std::function<bool(std::uint32_t)>& is_alive) {
    write_out();
    if (!fd_ || !open(false) || ::flock(fd_.get(), LOCK_EX) != 0) return;
    read_new_records();
    std::uint64_t live = 0;
    for (const auto& [k, offset] : offsets_)
        if (is_alive(static_cast<std::uint32_t>(k >> 8)))
            live += parse_cache_record({map_.data() + offset, static_cast<std::size_t>(read_up_to_ - offset)}, false)
                        .length;
    if (read_up_to_ > (1 << 20) && live * 2 < read_up_to_) {
        std::string out = encode_header(uid_validity_);
        for (const auto& [k, offset] : offsets_) {
            if (!is_alive(static_cast<std::uint32_t>(k >> 8))) continue;
            CacheRecord record =
                parse_cache_record({map_.data() + offset, static_cast<std::size_t>(read_up_to_ - offset)}, true);
            if (record.intact) out.append(map_.data() + offset, record.length);
        }
        (void)replace_file(path_, out, mode_, false);
    }
    if (fd_) ::flock(fd_.get(), LOCK_UN);
}

}  // namespace culver
