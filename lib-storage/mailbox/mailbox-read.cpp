// Reading: status, message files, sizes and dates, the cache.
#include <sys/stat.h>

#include <algorithm>

#include "lib-base/log.h"
#include "lib-mail/line-endings.h"
#include "lib-storage/index/cache-file.h"
#include "lib-storage/index/mapped-file.h"
#include "lib-storage/mailbox/mailbox-impl.h"

namespace culver {

namespace {

constexpr int kOpenAttempts = 4;
constexpr std::size_t kDetailsBatch = 20000;

class MappedMessage final : public MessageFile {
public:
    explicit MappedMessage(MappedFile file) : file_(std::move(file)) {}
    std::string_view bytes() const override { return file_.bytes(); }

private:
    MappedFile file_;
};

// Small files are read: cheaper than a mapping.
class ReadMessage final : public MessageFile {
public:
    explicit ReadMessage(std::string bytes) : bytes_(std::move(bytes)) {}
    std::string_view bytes() const override { return bytes_; }

private:
    std::string bytes_;
};

constexpr std::size_t kReadLimit = 256 << 10;

Result<std::unique_ptr<MessageFile>> load_message(int fd) {
    struct stat st;
    if (::fstat(fd, &st) != 0) return fail_errno("fstat(message)");
    if (!S_ISREG(st.st_mode)) return fail(ErrorCode::Corrupt, "a message is not a regular file");
    const auto size = static_cast<std::size_t>(st.st_size);
    if (size > kReadLimit)
        return std::unique_ptr<MessageFile>(std::make_unique<MappedMessage>(TRY(MappedFile::map(fd, size))));
    std::string bytes(size, '\0');
    std::size_t done = 0;
    while (done < size) {
        ssize_t n = ::pread(fd, bytes.data() + done, size - done, static_cast<off_t>(done));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail_errno("read(message)");
        if (n == 0) break;
        done += static_cast<std::size_t>(n);
    }
    bytes.resize(done);
    return std::unique_ptr<MessageFile>(std::make_unique<ReadMessage>(std::move(bytes)));
}

}  // namespace

std::uint32_t MailboxImpl::uid_validity() const {
    auto lock = read_lock();
    return state_.uid_validity;
}

std::string MailboxImpl::guid() const {
    auto lock = read_lock();
    return state_.guid;
}

std::vector<std::string> MailboxImpl::keywords() const {
    auto lock = read_lock();
    return state_.keywords;
}

Result<MailboxStatus> MailboxImpl::status() {
    TRY(refresh_if_possible());
    TRY(make_uids_durable());
    std::vector<Uid> unsized;
    MailboxStatus status;
    auto collect = [&] {
        auto lock = read_lock();
        status.messages = state_.counts.messages;
        status.unseen = state_.counts.unseen;
        status.deleted = state_.counts.deleted;
        status.uid_next = {state_.next_uid};
        status.uid_validity = state_.uid_validity;
        status.highest_modseq = {state_.highest_modseq};
        status.size = state_.counts.virtual_size;
        status.guid = state_.guid;
        status.recent = 0;
        const auto& messages = state_.messages();
        for (std::size_t i = state_.lower_bound(state_.first_recent); i < messages.size(); ++i)
            if (!messages[i].is_gone()) ++status.recent;
        unsized.clear();
        if (state_.counts.without_details > 0)
            for (const Message& message : messages)
                if (!message.is_gone() && message.virtual_size == 0) unsized.push_back({message.uid});
    };
    collect();
    if (unsized.empty()) return status;
    for (Uid uid : unsized) (void)virtual_size(uid);
    collect();
    return status;
}

// --- files

// Where the file is may change between asking and opening: our own renames, those of other processes, other programs.
Result<UniqueFd> MailboxImpl::open_file(Uid uid) {
    TRY(check_alive());
    for (int attempt = 1;; ++attempt) {
        StoredFile file;
        bool expunged = false;
        {
            auto lock = read_lock();
            if (const Message* message = state_.find(uid.value)) {
                file = stored_file(*message);
            } else if (auto doomed = state_.doomed.find(uid.value); doomed != state_.doomed.end()) {
                file = {doomed->second.base, doomed->second.odd_info, doomed->second.place, doomed->second.disk};
                expunged = true;
            } else {
                return fail(Error{ErrorCode::NotFound, "Message was expunged", "message was expunged"});
            }
        }
        auto fd = format_->open(file);
        if (fd || fd.error().code != ErrorCode::NotFound) return fd;
        if (attempt == kOpenAttempts || expunged)
            return fail(Error{ErrorCode::NotFound, "Message was expunged", std::move(fd.error().detail)});
        if (attempt == 1) continue;  // the flusher may have been between rename and log
        if (attempt == 2) {
            TRY(refresh());
            continue;
        }
        MailboxWriter writer = TRY(begin_write());
        TRY(sync_with_disk(writer, true));
    }
}

Result<std::unique_ptr<MessageFile>> MailboxImpl::open_message(Uid uid) {
    UniqueFd fd = TRY(open_file(uid));
    return load_message(fd.get());
}

Result<std::string> MailboxImpl::message_guid(Uid uid) {
    auto lock = read_lock();
    const Message* message = state_.find(uid.value);
    if (message == nullptr) return fail(Error{ErrorCode::NotFound, "Message was expunged", "message was expunged"});
    std::string_view guid = uidlist_field(state_.fields(uid.value), 'G');
    return std::string(guid.empty() ? state_.base(*message) : guid);
}

// --- dates and sizes

Result<std::uint64_t> MailboxImpl::virtual_size(Uid uid) {
    {
        auto lock = read_lock();
        const Message* message = state_.find(uid.value);
        if (message != nullptr && message->virtual_size != 0) return message->virtual_size;
    }
    auto file = TRY(open_message(uid));
    const std::uint64_t size = culver::virtual_size(file->bytes());
    if (size == 0) return size;
    if (auto writer = begin_write()) {
        const Message* message = state_.find(uid.value);
        if (message != nullptr)
            writer->transaction.details(uid, message->internal_date, message->save_date, file->bytes().size(), size);
        if (Status committed = writer->commit(); !committed) log_debug(committed.error().detail);
    }
    return size;
}

bool MailboxImpl::needs_details() const { return state_.counts.without_details > 0; }

Status MailboxImpl::fill_details(std::optional<std::span<const Uid>> uids) {
    std::vector<std::pair<Uid, StoredFile>> wanted;
    {
        auto lock = read_lock();
        if (state_.counts.without_details == 0) return {};
        auto consider = [&](const Message& message) {
            if (!message.is_gone() && (message.internal_date == kUnknownDate || message.size == 0))
                wanted.emplace_back(Uid{message.uid}, stored_file(message));
        };
        if (uids) {
            for (Uid uid : *uids)
                if (const Message* message = state_.find(uid.value)) consider(*message);
        } else {
            for (const Message& message : state_.messages()) consider(message);
        }
    }
    if (wanted.empty()) return {};
    for (std::size_t first = 0; first < wanted.size(); first += kDetailsBatch) {
        std::size_t end = std::min(wanted.size(), first + kDetailsBatch);
        std::vector<std::optional<FileTimes>> times;
        for (std::size_t i = first; i < end; ++i) {
            auto found = format_->times(wanted[i].second);
            times.push_back(found ? std::optional(*found) : std::nullopt);
        }
        MailboxWriter writer = TRY(begin_write());
        for (std::size_t i = first; i < end; ++i) {
            const Message* message = state_.find(wanted[i].first.value);
            const auto& known = times[i - first];
            if (message == nullptr || !known) continue;
            if (message->internal_date == known->modified && message->size != 0) continue;
            writer.transaction.details(wanted[i].first, known->modified, known->changed,
                                       message->size != 0 ? message->size : known->size, message->virtual_size);
        }
        TRY(writer.commit());
    }
    return {};
}

// --- cache

bool MailboxImpl::cached(Uid uid, CacheField field, const std::function<void(std::string_view)>& visit) {
    std::lock_guard lock(cache_mutex_);
    if (cache_ == nullptr)
        cache_ = std::make_unique<CacheFile>(has_index_files() ? index_path("culver.cache") : "", uid_validity(),
                                             options_.file_mode);
    auto value = cache_->find(uid.value, static_cast<std::uint8_t>(field));
    if (!value) return false;
    visit(*value);
    return true;
}

void MailboxImpl::cache(Uid uid, CacheField field, std::string_view value) {
    std::lock_guard lock(cache_mutex_);
    if (cache_ == nullptr)
        cache_ = std::make_unique<CacheFile>(has_index_files() ? index_path("culver.cache") : "", uid_validity(),
                                             options_.file_mode);
    if (cache_->add(uid.value, static_cast<std::uint8_t>(field), value)) schedule_flush(std::chrono::seconds(1));
}

}  // namespace culver
