#include "lib-storage/index/index-log.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "lib-base/file.h"
#include "lib-storage/index/byte-codec.h"
#include "lib-storage/index/crc32c.h"

namespace culver {

namespace {

constexpr std::string_view kMagic = "CULVLOG1";
constexpr std::size_t kTransactionHeader = 24;  // length, checksum of the header, modseq, checksum of the payload, 0

std::uint64_t padded(std::uint64_t size) { return (size + 7) & ~std::uint64_t{7}; }

std::string encode_transaction_header(std::uint32_t length, std::uint64_t modseq, std::uint32_t payload_sum) {
    ByteWriter rest;
    rest.number<std::uint64_t>(modseq).number<std::uint32_t>(payload_sum).number<std::uint32_t>(0);
    ByteWriter head;
    head.number<std::uint32_t>(length);
    const std::uint32_t sum = crc32c(rest.bytes(), crc32c(head.bytes()));
    head.number<std::uint32_t>(sum).raw(rest.bytes());
    return std::move(head.bytes());
}

std::string encode_header(const IndexLogHeader& header) {
    ByteWriter out;
    out.number<std::uint64_t>(header.id).number<std::uint64_t>(header.previous_id);
    out.number<std::uint64_t>(header.previous_end).number<std::uint32_t>(header.uid_validity);
    out.raw(std::string(IndexLog::kHeaderSize - kMagic.size() - 4 - out.bytes().size(), '\0'));
    ByteWriter file;
    file.raw(kMagic).raw(out.bytes()).number<std::uint32_t>(crc32c(out.bytes()));
    return std::move(file.bytes());
}

Result<std::size_t> read_at(int fd, char* to, std::size_t size, std::uint64_t offset) {
    std::size_t done = 0;
    while (done < size) {
        ssize_t n = ::pread(fd, to + done, size - done, static_cast<off_t>(offset + done));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail_errno("pread(culver.index.log)");
        if (n == 0) break;
        done += static_cast<std::size_t>(n);
    }
    return done;
}

}  // namespace

IndexLog::Stop parse_transaction(std::string_view bytes, ParsedTransaction& transaction) {
    if (bytes.empty()) return IndexLog::Stop::End;
    if (bytes.size() < kTransactionHeader) return IndexLog::Stop::Torn;
    ByteReader in(bytes);
    const auto length = in.number<std::uint32_t>();
    in.number<std::uint32_t>();
    transaction.modseq = in.number<std::uint64_t>();
    const auto payload_sum = in.number<std::uint32_t>();
    // The header has its own checksum, so that a wrong length is not taken for a torn end.
    if (length == 0 || length > IndexLog::kTransactionLimit ||
        bytes.substr(0, kTransactionHeader) != encode_transaction_header(length, transaction.modseq, payload_sum))
        return IndexLog::Stop::Corrupt;
    in.number<std::uint32_t>();
    transaction.length = kTransactionHeader + padded(length);
    if (bytes.size() < transaction.length) return IndexLog::Stop::Torn;
    transaction.payload = in.raw(length);
    if (crc32c(transaction.payload) != payload_sum) return IndexLog::Stop::Corrupt;
    return IndexLog::Stop::End;
}

Status IndexLog::read_header(const std::string& path) {
    struct stat st;
    if (::fstat(fd_.get(), &st) != 0) return fail_errno("fstat(" + path + ")");
    if (!S_ISREG(st.st_mode)) return fail(ErrorCode::Corrupt, path + " is not a regular file");
    char buffer[kHeaderSize];
    std::size_t size = TRY(read_at(fd_.get(), buffer, sizeof buffer, 0));
    std::string_view bytes(buffer, size);
    if (size != kHeaderSize || !bytes.starts_with(kMagic)) return fail(ErrorCode::Corrupt, path + " is no index log");
    std::string_view body = bytes.substr(kMagic.size(), kHeaderSize - kMagic.size() - 4);
    ByteReader in(bytes.substr(kMagic.size()));
    header_.id = in.number<std::uint64_t>();
    header_.previous_id = in.number<std::uint64_t>();
    header_.previous_end = in.number<std::uint64_t>();
    header_.uid_validity = in.number<std::uint32_t>();
    if (crc32c(body) != ByteReader(bytes.substr(kHeaderSize - 4)).number<std::uint32_t>())
        return fail(ErrorCode::Corrupt, path + " has a broken header");
    return {};
}

Result<IndexLog> IndexLog::open(const std::string& path) {
    IndexLog log;
    log.fd_.reset(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW));
    if (!log.fd_ && (errno == EACCES || errno == EROFS))
        log.fd_.reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW));
    if (!log.fd_ && errno == ELOOP) return fail(ErrorCode::Corrupt, path + " is a symbolic link");
    if (!log.fd_ && (errno == EISDIR || errno == ENXIO))
        return fail(ErrorCode::Corrupt, path + " is not a regular file");
    if (!log.fd_) return fail_errno("open(" + path + ")");
    TRY(log.read_header(path));
    return log;
}

Result<IndexLog> IndexLog::create(const std::string& path, const IndexLogHeader& header, unsigned mode, bool sync) {
    TRY(replace_file(path, encode_header(header), mode, sync));
    return open(path);
}

Result<IndexLog::Condition> IndexLog::condition() const {
    struct stat st;
    if (::fstat(fd_.get(), &st) != 0) return fail_errno("fstat(culver.index.log)");
    return Condition{static_cast<std::uint64_t>(st.st_size), st.st_nlink == 0};
}

Result<IndexLog::Stop> IndexLog::read(const Apply& apply) {
    std::string buffer;
    std::size_t want = 0;
    while (true) {
        std::uint64_t size = TRY(condition()).size;
        if (size < offset_) return Stop::Corrupt;
        if (size == offset_) return Stop::End;
        std::uint64_t left = size - offset_;
        buffer.resize(static_cast<std::size_t>(std::min<std::uint64_t>(left, std::max<std::size_t>(want, 1U << 20))));
        buffer.resize(TRY(read_at(fd_.get(), buffer.data(), buffer.size(), offset_)));
        std::string_view rest = buffer;
        bool progress = false;
        while (!rest.empty()) {
            ParsedTransaction transaction;
            Stop stop = parse_transaction(rest, transaction);
            if (stop == Stop::Corrupt) return stop;
            if (stop == Stop::Torn) {
                // Either the buffer ends here or the file does.
                if (!progress && buffer.size() >= left) return stop;
                want = std::max<std::size_t>(
                    want, static_cast<std::size_t>(std::max<std::uint64_t>(transaction.length, 1U << 20)));
                if (!progress && want <= buffer.size()) return stop;
                break;
            }
            TRY(apply(transaction.payload, transaction.modseq));
            offset_ += transaction.length;
            rest.remove_prefix(transaction.length);
            progress = true;
        }
    }
}

Status IndexLog::append(std::string_view payload, std::uint64_t modseq, bool sync) {
    if (payload.size() > kTransactionLimit) return fail(ErrorCode::Limit, "transaction too large for the index log");
    ByteWriter out;
    const auto length = static_cast<std::uint32_t>(payload.size());
    out.bytes().reserve(kTransactionHeader + padded(length));
    out.raw(encode_transaction_header(length, modseq, crc32c(payload))).raw(payload);
    out.bytes().resize(kTransactionHeader + padded(length), '\0');
    std::size_t done = 0;
    while (done < out.bytes().size()) {
        ssize_t n = ::pwrite(fd_.get(), out.bytes().data() + done, out.bytes().size() - done,
                             static_cast<off_t>(offset_ + done));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            Error error = Error::from_errno(n == 0 ? ENOSPC : errno, "write(culver.index.log)");
            if (::ftruncate(fd_.get(), static_cast<off_t>(offset_)) != 0) error.detail += " (and could not be undone)";
            return fail(std::move(error));
        }
        done += static_cast<std::size_t>(n);
    }
    if (sync && ::fdatasync(fd_.get()) != 0) {
        Error error = Error::from_errno(errno, "fdatasync(culver.index.log)");
        if (::ftruncate(fd_.get(), static_cast<off_t>(offset_)) != 0) error.detail += " (and could not be undone)";
        return fail(std::move(error));
    }
    offset_ += done;
    return {};
}

Status IndexLog::cut() {
    if (::ftruncate(fd_.get(), static_cast<off_t>(offset_)) != 0) return fail_errno("ftruncate(culver.index.log)");
    return {};
}

}  // namespace culver
