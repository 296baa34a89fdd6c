// COPY and MOVE: another name for the same file where the file system can do it, a copy of the bytes where not.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "lib-base/file.h"
#include "lib-base/text.h"
#include "lib-mail/line-endings.h"
#include "lib-storage/mailbox/arrival.h"

namespace culver {

struct MailboxImpl::CopySource {
    Uid uid;
    MessageInfo info;
    StoredFile file;
    std::vector<std::string> keywords;
    std::string guid;
};

namespace {
constexpr int kAttempts = 4;

// The bytes of `source` in a temporary file of `format`, durable, with the same mtime.
Result<TemporaryFile> copy_bytes(MailboxFormat& format, int source, std::int64_t date, bool sync) {
    TemporaryFile copy = TRY(format.create_temporary());
    char buffer[65536];
    while (true) {
        ssize_t n = ::read(source, buffer, sizeof buffer);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail_errno("read(message)");
        if (n == 0) break;
        TRY(write_all(copy.fd().get(), {buffer, static_cast<std::size_t>(n)}, copy.path()));
    }
    struct timespec times[2] = {{0, UTIME_NOW}, {static_cast<time_t>(date), 0}};
    if (::futimens(copy.fd().get(), times) != 0) return fail_errno("futimens(" + copy.path() + ")");
    if (sync && ::fdatasync(copy.fd().get()) != 0) return fail_errno("fdatasync(" + copy.path() + ")");
    TRY(copy.fd().close(copy.path()));
    return copy;
}

}  // namespace

Result<std::vector<MailboxImpl::CopySource>> MailboxImpl::collect_sources(std::span<const Uid> uids) {
    TRY(fill_details(uids));
    std::vector<CopySource> sources;
    auto lock = read_lock();
    for (Uid uid : uids) {
        const Message* message = state_.find(uid.value);
        if (message == nullptr) continue;
        CopySource source;
        source.uid = uid;
        source.info = state_.info(*message);
        source.file = stored_file(*message);
        for (std::size_t i = 0; i < state_.keywords.size(); ++i)
            if (source.info.flags.keywords.test(i)) source.keywords.push_back(state_.keywords[i]);
        std::string_view guid = uidlist_field(state_.fields(uid.value), 'G');
        source.guid = guid.empty() ? state_.base(*message) : guid;
        sources.push_back(std::move(source));
    }
    return sources;
}

// NotFound: a source file was renamed or removed meanwhile; look again.
Result<CopyResult> MailboxImpl::try_copy(MailboxImpl& destination, std::span<const Uid> uids, bool may_link) {
    std::vector<CopySource> sources = TRY(collect_sources(uids));
    std::vector<ArrivingMessage> arriving;
    CopyResult result;
    struct stat here, there;
    may_link = may_link && options_.copy_with_hardlinks && destination.options_.copy_with_hardlinks &&
               ::stat(paths_.mail.c_str(), &here) == 0 && ::stat(destination.paths_.mail.c_str(), &there) == 0 &&
               here.st_dev == there.st_dev;
    for (const CopySource& source : sources) {
        ArrivingMessage arrival;
        NewMessage& message = arrival.message;
        std::string base;
        if (may_link) {
            arrival.link_source = format_->path(source.file);
            struct stat st;
            if (::lstat(arrival.link_source.c_str(), &st) != 0) return fail_errno("stat(" + arrival.link_source + ")");
            base = destination.format_->new_base_name();
        } else {
            UniqueFd fd = TRY(open_file(source.uid));
            arrival.temporary.emplace(TRY(copy_bytes(*destination.format_, fd.get(), source.info.internal_date,
                                                     destination.options_.fsync != MailboxOptions::Fsync::Never)));
            base = arrival.temporary->base();
        }
        message.base = fmt::format("{},S={}", base, source.info.size);
        if (source.info.virtual_size != 0) message.base += fmt::format(",W={}", source.info.virtual_size);
        message.place = kHasInfo;
        message.flags.system = source.info.flags.system;
        message.internal_date = source.info.internal_date;
        message.save_date = current_time();
        message.size = source.info.size;
        message.virtual_size = source.info.virtual_size;
        if (source.guid.find(' ') == std::string::npos) message.fields = "G" + source.guid;
        arrival.keywords = source.keywords;
        arriving.push_back(std::move(arrival));
        result.source.push_back(source.uid);
    }
    result.copied = TRY(destination.take_in(arriving, SaveTransaction::Uids::Durable));
    result.uid_validity = destination.uid_validity();
    return result;
}

Result<CopyResult> MailboxImpl::copy_to(Mailbox& to, std::span<const Uid> uids) {
    TRY(check_alive());
    auto& destination = static_cast<MailboxImpl&>(to);  // there is one implementation
    bool may_link = true;
    for (int attempt = 1;; ++attempt) {
        auto result = try_copy(destination, uids, may_link);
        if (!result && may_link &&
            (result.error().code == ErrorCode::NoPermission || result.error().code == ErrorCode::Io)) {
            may_link = false;  // too many names for one file, or a file system without hard links
            continue;
        }
        if (result || result.error().code != ErrorCode::NotFound || attempt == kAttempts || destination.abandoned_)
            return result;
        TRY(refresh());
        if (attempt < 2) continue;
        MailboxWriter writer = TRY(begin_write());
        TRY(sync_with_disk(writer, true));
    }
}

Result<CopyResult> MailboxImpl::move_to(Mailbox& destination, std::span<const Uid> uids, ExpungeResult* expunged) {
    if (read_only_)
        return fail(Error{ErrorCode::NoPermission, "Mailbox is read-only", "Mailbox " + paths_.mail + " is read-only"});
    CopyResult result = TRY(copy_to(destination, uids));
    MailboxWriter writer = TRY(begin_write());
    std::vector<Uid> present;
    for (Uid uid : result.source)
        if (state_.find(uid.value) != nullptr) present.push_back(uid);
    std::sort(present.begin(), present.end());
    if (!present.empty()) writer.transaction.expunge(to_ranges(present));
    TRY(writer.commit());
    if (!present.empty()) schedule_flush();
    if (expunged != nullptr) *expunged = {std::move(present), {state_.highest_modseq}};
    return result;
}

}  // namespace culver
