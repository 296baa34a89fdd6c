// Keywords past the 26th: file names cannot hold them, so they are kept apart in culver.keywords, which survives the
// loss of the index; a mailbox that Dovecot used last has them in dovecot.index (docs/maildir.md).
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "lib-base/file.h"
#include "lib-base/log.h"
#include "lib-base/text.h"
#include "lib-storage/dovecot-index/reader.h"
#include "lib-storage/index/crc32c.h"
#include "lib-storage/mailbox/mailbox-impl.h"

namespace culver {

namespace {

constexpr std::size_t kFileLimit = 256 << 20;

bool has_high_keywords(const KeywordSet& set) { return (set >> kFileKeywords).any(); }

}  // namespace

std::string MailboxImpl::keywords_path() const { return paths_.control + "/culver.keywords"; }

// "1 <uidvalidity>", then "K <index> <name>" for the names, then "<uid> <index> <index>.." for the messages.
void MailboxImpl::save_high_keywords() {
    std::string text;
    {
        auto lock = read_lock();
        const auto& sets = state_.keyword_sets();
        if (std::none_of(sets.begin(), sets.end(), has_high_keywords)) return;
        text = fmt::format("1 {}\n", state_.uid_validity);
        for (std::size_t i = kFileKeywords; i < state_.keywords.size(); ++i)
            text += fmt::format("K {} {}\n", i, state_.keywords[i]);
        for (const Message& message : state_.messages()) {
            const KeywordSet& set = state_.keyword_set(message);
            if (message.is_gone() || !has_high_keywords(set)) continue;
            text += fmt::format_int(message.uid).str();
            for (std::size_t i = kFileKeywords; i < kKeywordLimit; ++i)
                if (set.test(i)) text += fmt::format(" {}", i);
            text += '\n';
        }
    }
    const std::uint32_t sum = crc32c(text);
    if (sum == saved_keywords_sum_) return;
    if (Status written =
            replace_file(keywords_path(), text, options_.file_mode, options_.fsync != MailboxOptions::Fsync::Never);
        !written)
        log_warning("Mailbox " + paths_.mail +
                    ": keywords past the 26th are not saved apart: " + written.error().detail);
    else saved_keywords_sum_ = sum;
}

// Gives each keyword to its messages.
Status MailboxImpl::add_keywords(MailboxWriter& writer, const std::map<std::string, std::vector<Uid>>& uids_by_name) {
    for (const auto& [name, uids] : uids_by_name) {
        std::vector<Uid> present;
        for (Uid uid : uids)
            if (state_.find(uid.value) != nullptr) present.push_back(uid);
        if (present.empty()) continue;
        MessageFlags flags;
        auto set = resolve_keywords(writer, {name}, true);
        if (!set) {
            log_warning("Mailbox " + paths_.mail + ": keyword " + name + " is dropped: " + set.error().detail);
            continue;
        }
        flags.keywords = *set;
        writer.transaction.flags(FlagsOperation::Add, flags, to_ranges(present));
        TRY(writer.commit());
    }
    return {};
}

Status MailboxImpl::restore_high_keywords(MailboxWriter& writer, const DovecotIndex* dovecot) {
    std::map<std::string, std::vector<Uid>> uids_by_name;
    auto text = read_file(keywords_path(), kFileLimit);
    if (text) {
        std::map<std::uint32_t, std::string> names;
        bool valid = false;
        for (std::string_view line : split(*text, '\n')) {
            auto words = split_words(line);
            if (words.size() < 2) continue;
            if (!valid) {
                valid = words[0] == "1" && parse_uint32(words[1]) == state_.uid_validity;
                if (!valid) break;
            } else if (words[0] == "K" && words.size() == 3) {
                names[parse_uint32(words[1]).value_or(0)] = words[2];
            } else if (auto uid = parse_uint32(words[0])) {
                for (std::size_t i = 1; i < words.size(); ++i)
                    if (auto name = names.find(parse_uint32(words[i]).value_or(0)); name != names.end())
                        uids_by_name[name->second].push_back({*uid});
            }
        }
    } else if (dovecot != nullptr && dovecot->uid_validity == state_.uid_validity) {
        for (const DovecotIndexRecord& record : dovecot->records)
            for (std::uint16_t position : record.keywords)
                if (position < dovecot->keywords.size())
                    uids_by_name[dovecot->keywords[position]].push_back({record.uid});
        // Those with a letter are in the file names, which are newer.
        std::erase_if(uids_by_name, [&](const auto& entry) {
            auto index = state_.keyword_index(entry.first);
            return index && *index < kFileKeywords;
        });
    }
    for (auto& [name, uids] : uids_by_name) std::sort(uids.begin(), uids.end());
    return add_keywords(writer, uids_by_name);
}

}  // namespace culver
