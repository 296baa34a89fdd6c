#include "lib-storage/dovecot-index/reader.h"

#include <utility>

#include "lib-base/file.h"
#include "lib-storage/dovecot-index/snapshot-parser.h"

namespace culver {

namespace {

using namespace dovecot_index;

constexpr std::size_t kFileLimit = 512 << 20;

// Empty if it is missing.
Result<std::string> read_if_there(const std::string& path) {
    auto bytes = read_file(path, kFileLimit);
    if (!bytes && bytes.error().code == ErrorCode::NotFound) return std::string();
    return bytes;
}

DovecotIndex index_from(Model&& model) {
    DovecotIndex index;
    index.uid_validity = model.uid_validity;
    index.next_uid = model.next_uid;
    index.highest_modseq = model.highest_modseq;
    index.keywords = std::move(model.keywords);
    index.records.reserve(model.messages.size());
    for (const Message& message : model.messages) {
        DovecotIndexRecord record{message.uid, {}};
        for (std::size_t i = 0; i < index.keywords.size(); ++i)
            if (message.keywords.test(i)) record.keywords.push_back(static_cast<std::uint16_t>(i));
        index.records.push_back(std::move(record));
    }
    return index;
}

}  // namespace

Result<DovecotIndex> parse_dovecot_index(std::string_view index, std::string_view log, std::string_view previous_log) {
    if (index.empty() && log.empty()) return fail(ErrorCode::NotFound, "Dovecot left no index");
    Model model;
    if (!index.empty()) TRY(parse_snapshot(index, model));
    const auto current = log_sequence(log);
    if (!log.empty() && !current) return fail(ErrorCode::Corrupt, "dovecot.index.log: not a log");
    if (!current) return index_from(std::move(model));
    const auto previous = log_sequence(previous_log);
    if (index.empty()) {
        // The log tells the whole story if it is the first one.
        if (previous && *previous < *current) TRY(apply_log(previous_log, 0, model));
        TRY(apply_log(log, 0, model));
    } else if (model.log_sequence == *current) {
        TRY(apply_log(log, model.log_offset, model));
    } else {
        // The log was rotated behind the snapshot's back.
        if (previous && *previous == model.log_sequence) TRY(apply_log(previous_log, model.log_offset, model));
        if (*current > model.log_sequence) TRY(apply_log(log, 0, model));
    }
    return index_from(std::move(model));
}

Result<DovecotIndex> read_dovecot_index(const std::string& index_dir) {
    const std::string index = TRY(read_if_there(index_dir + "/dovecot.index"));
    const std::string log = TRY(read_if_there(index_dir + "/dovecot.index.log"));
    const std::string previous = TRY(read_if_there(index_dir + "/dovecot.index.log.2"));
    return parse_dovecot_index(index, log, previous);
}

}  // namespace culver
