#include "lib-storage/index/mailbox-state.h"

#include <algorithm>

#include "lib-base/random.h"
#include "lib-storage/index/keyed-hash.h"

namespace culver {

namespace {

constexpr std::size_t kJournalLimit = 65536;
constexpr std::size_t kHistoryLimit = 200000;

std::unexpected<Error> corrupt(std::string_view what) {
    return fail(ErrorCode::Corrupt, "the index holds " + std::string(what));
}

bool read_range(ByteReader& in, std::uint32_t& first, std::uint32_t& last) {
    first = in.number<std::uint32_t>();
    last = in.number<std::uint32_t>();
    return in.ok() && first != 0 && first <= last;
}

KeywordSet read_keywords(ByteReader& in) {
    KeywordSet low(in.number<std::uint64_t>());
    KeywordSet high(in.number<std::uint64_t>());
    return low | (high << 64);
}

}  // namespace

MailboxState::MailboxState() : seed_(random_uint64()) { intern({}); }

std::size_t MailboxState::lower_bound(std::uint32_t uid) const {
    // Most mailboxes have few holes: guess first.
    if (!messages_.empty() && messages_.back().uid < uid) return messages_.size();
    auto at = std::lower_bound(messages_.begin(), messages_.end(), uid,
                               [](const Message& message, std::uint32_t value) { return message.uid < value; });
    return static_cast<std::size_t>(at - messages_.begin());
}

const Message* MailboxState::find(std::uint32_t uid) const {
    std::size_t at = lower_bound(uid);
    if (at == messages_.size() || messages_[at].uid != uid || messages_[at].is_gone()) return nullptr;
    return &messages_[at];
}

bool MailboxState::was_wanted(std::uint32_t uid, FileFlags flags) const {
    auto [begin, end] = formerly_wanted_.equal_range(uid);
    return std::any_of(begin, end, [&](const auto& entry) { return entry.second == flags; });
}

std::string_view MailboxState::odd_info(const Message& message) const {
    if ((message.place & kOddInfo) == 0) return {};
    auto found = odd_infos_.find(message.uid);
    return found == odd_infos_.end() ? std::string_view() : std::string_view(found->second);
}

std::string_view MailboxState::fields(std::uint32_t uid) const {
    auto found = fields_.find(uid);
    return found == fields_.end() ? std::string_view() : std::string_view(found->second);
}

MessageInfo MailboxState::info(const Message& message) const {
    MessageInfo info;
    info.uid = {message.uid};
    info.flags = flags(message);
    info.modseq = {message.modseq};
    info.internal_date = message.internal_date == kUnknownDate ? 0 : message.internal_date;
    info.save_date = message.save_date == kUnknownDate ? info.internal_date : message.save_date;
    info.size = message.size;
    info.virtual_size = message.virtual_size;
    return info;
}

std::optional<std::uint32_t> MailboxState::keyword_index(std::string_view name) const {
    for (std::uint32_t i = 0; i < keywords.size(); ++i)
        if (keywords[i].size() == name.size() &&
            std::equal(name.begin(), name.end(), keywords[i].begin(), [](char a, char b) {
                auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
                return lower(a) == lower(b);
            }))
            return i;
    return {};
}

std::uint32_t MailboxState::intern(const KeywordSet& set) {
    auto [at, is_new] = keyword_set_index_.try_emplace(set, static_cast<std::uint32_t>(keyword_sets_.size()));
    if (is_new) keyword_sets_.push_back(set);
    return at->second;
}

// --- base names

void MailboxState::table_insert(std::size_t position) {
    const Message& message = messages_[position];
    std::size_t mask = table_.size() - 1;
    std::size_t slot = keyed_hash(base(message), seed_) & mask;
    while (table_[slot] != 0) slot = (slot + 1) & mask;
    table_[slot] = message.uid;
    ++table_used_;
}

void MailboxState::build_table() {
    std::size_t size = 64;
    while (size < messages_.size() * 2 + 64) size *= 2;
    table_.assign(size, 0);
    table_used_ = 0;
    for (std::size_t i = 0; i < messages_.size(); ++i)
        if (!messages_[i].is_gone()) table_insert(i);
}

const Message* MailboxState::find_base(std::string_view name) {
    if (table_.empty()) build_table();
    std::size_t mask = table_.size() - 1;
    for (std::size_t slot = keyed_hash(name, seed_) & mask; table_[slot] != 0; slot = (slot + 1) & mask) {
        const Message* message = find(table_[slot]);
        if (message != nullptr && base(*message) == name) return message;
    }
    return nullptr;
}

// --- changes

void MailboxState::add_counts(const Message& message, int sign) {
    auto add = [sign](auto& counter, std::uint64_t amount) {
        counter =
            static_cast<std::remove_reference_t<decltype(counter)>>(sign > 0 ? counter + amount : counter - amount);
    };
    add(counts.messages, 1);
    add(counts.virtual_size, message.virtual_size);
    if ((message.system & kSeen) == 0) add(counts.unseen, 1);
    if ((message.system & kDeleted) != 0) add(counts.deleted, 1);
    if ((message.place & kInNew) != 0) add(counts.in_new, 1);
    if (message.internal_date == kUnknownDate || message.virtual_size == 0) add(counts.without_details, 1);
}

void MailboxState::remember_change(std::uint64_t modseq, std::uint32_t uid) {
    if (journal.size() >= kJournalLimit) {
        journal_floor = std::max(journal_floor, journal[kJournalLimit / 2 - 1].modseq);
        journal.erase(journal.begin(), journal.begin() + kJournalLimit / 2);
    }
    journal.push_back({modseq, uid});
}

void MailboxState::trim_history() {
    if (expunges.size() <= kHistoryLimit) return;
    history_floor = std::max(history_floor, expunges[kHistoryLimit / 2 - 1].modseq);
    expunges.erase(expunges.begin(), expunges.begin() + kHistoryLimit / 2);
}

void MailboxState::set_flags(Message& message, const MessageFlags& flags) {
    FileFlags before = wanted(message);
    add_counts(message, -1);
    message.system = flags.system & 31U;
    message.keywords = intern(flags.keywords);
    add_counts(message, +1);
    FileFlags after = wanted(message);
    if (after == before) return;
    if (before != message.disk) formerly_wanted_.emplace(message.uid, before);
    unsettled.push_back(message.uid);
}

Status MailboxState::apply_message(ByteReader& in, std::uint64_t modseq) {
    Message message;
    message.uid = in.number<std::uint32_t>();
    message.system = in.number<std::uint8_t>() & 31U;
    message.place = in.number<std::uint8_t>() & static_cast<std::uint8_t>(~kGone);
    in.number<std::uint16_t>();
    message.disk = in.number<std::uint32_t>();
    KeywordSet set = read_keywords(in);
    message.internal_date = in.number<std::int64_t>();
    message.save_date = in.number<std::int64_t>();
    message.size = in.number<std::uint64_t>();
    message.virtual_size = in.number<std::uint64_t>();
    std::string_view name = in.counted(), odd = in.counted(), fields = in.counted();
    if (!in.ok() || message.uid == 0 || message.uid == UINT32_MAX || name.empty() || name.size() > 255 ||
        name.find('/') != std::string_view::npos || odd.find('/') != std::string_view::npos)
        return corrupt("a message that cannot be");
    if (!messages_.empty() && messages_.back().uid >= message.uid) return corrupt("a uid twice");
    if (names_.size() + name.size() > UINT32_MAX) return corrupt("too many names");
    message.name_offset = static_cast<std::uint32_t>(names_.size());
    message.name_length = static_cast<std::uint16_t>(name.size());
    message.keywords = intern(set);
    message.modseq = modseq;
    names_.insert(names_.end(), name.begin(), name.end());
    if ((message.place & kOddInfo) != 0) odd_infos_[message.uid] = odd;
    if (!fields.empty()) fields_[message.uid] = fields;
    messages_.push_back(message);
    add_counts(message, +1);
    next_uid = std::max(next_uid, message.uid + 1);
    if (wanted(message) != message.disk) unsettled.push_back(message.uid);
    if (!table_.empty()) {
        if ((table_used_ + 1) * 4 > table_.size() * 3) build_table();
        else table_insert(messages_.size() - 1);
    }
    return {};
}

Status MailboxState::apply_flags(ByteReader& in, std::uint64_t modseq) {
    auto operation = static_cast<FlagsOperation>(in.number<std::uint32_t>());
    MessageFlags change;
    change.system = static_cast<std::uint8_t>(in.number<std::uint32_t>() & 31U);
    change.keywords = read_keywords(in);
    while (in.ok() && !in.at_end()) {
        std::uint32_t first, last;
        if (!read_range(in, first, last)) return corrupt("a broken range");
        for (std::size_t i = lower_bound(first); i < messages_.size() && messages_[i].uid <= last; ++i) {
            Message& message = messages_[i];
            if (message.is_gone()) continue;
            MessageFlags now = flags(message);
            switch (operation) {
                case FlagsOperation::Add:
                    now.system |= change.system;
                    now.keywords |= change.keywords;
                    break;
                case FlagsOperation::Remove:
                    now.system &= static_cast<std::uint8_t>(~change.system);
                    now.keywords &= ~change.keywords;
                    break;
                case FlagsOperation::Replace: now = change; break;
                default: return corrupt("an unknown flag operation");
            }
            set_flags(message, now);
            message.modseq = modseq;
            remember_change(modseq, message.uid);
        }
    }
    return in.ok() ? Status() : corrupt("a short flag record");
}

Status MailboxState::apply_expunge(ByteReader& in, std::uint64_t modseq) {
    while (in.ok() && !in.at_end()) {
        std::uint32_t first, last;
        if (!read_range(in, first, last)) return corrupt("a broken range");
        for (std::size_t i = lower_bound(first); i < messages_.size() && messages_[i].uid <= last; ++i) {
            Message& message = messages_[i];
            if (message.is_gone()) continue;
            doomed[message.uid] = {std::string(base(message)), std::string(odd_info(message)), message.place,
                                   message.disk};
            add_counts(message, -1);
            message.place |= kGone;
            odd_infos_.erase(message.uid);
            fields_.erase(message.uid);
            formerly_wanted_.erase(message.uid);
        }
        expunges.push_back({modseq, first, last});
    }
    trim_history();
    return in.ok() ? Status() : corrupt("a short expunge record");
}

Status MailboxState::apply_file(ByteReader& in) {
    std::uint32_t uid = in.number<std::uint32_t>();
    std::uint32_t place = in.number<std::uint32_t>();
    FileFlags disk = in.number<std::uint32_t>();
    if (!in.ok()) return corrupt("a short file record");
    std::string_view odd = in.raw(in.left());
    if (odd.size() > 255 || odd.find('/') != std::string_view::npos) return corrupt("a file name that cannot be");
    std::size_t at = lower_bound(uid);
    if (at == messages_.size() || messages_[at].uid != uid || messages_[at].is_gone()) return {};
    Message& message = messages_[at];
    add_counts(message, -1);
    message.place = static_cast<std::uint8_t>(place & (kInNew | kHasInfo | kOddInfo));
    message.disk = disk;
    add_counts(message, +1);
    odd_infos_.erase(uid);
    if ((message.place & kOddInfo) != 0) odd_infos_[uid] = odd;
    formerly_wanted_.erase(uid);
    if (wanted(message) != disk) unsettled.push_back(uid);
    return {};
}

Status MailboxState::apply_details(ByteReader& in) {
    std::uint32_t uid = in.number<std::uint32_t>();
    std::int64_t internal_date = in.number<std::int64_t>(), save_date = in.number<std::int64_t>();
    std::uint64_t size = in.number<std::uint64_t>(), virtual_size = in.number<std::uint64_t>();
    if (!in.ok()) return corrupt("a short details record");
    std::size_t at = lower_bound(uid);
    if (at == messages_.size() || messages_[at].uid != uid || messages_[at].is_gone()) return {};
    Message& message = messages_[at];
    add_counts(message, -1);
    message.internal_date = internal_date;
    message.save_date = save_date;
    message.size = size;
    message.virtual_size = virtual_size;
    add_counts(message, +1);
    return {};
}

Status MailboxState::apply_keyword(ByteReader& in) {
    std::uint32_t index = in.number<std::uint32_t>();
    std::string_view name = in.raw(in.left());
    if (!in.ok() || index >= kKeywordLimit || name.empty() || name.size() > 1000)
        return corrupt("a keyword that cannot be");
    while (keywords.size() <= index) keywords.push_back("unknown-" + std::to_string(keywords.size()));
    keywords[index] = name;
    return {};
}

Status MailboxState::apply_record(RecordType type, ByteReader in, std::uint64_t modseq) {
    switch (type) {
        case RecordType::Message: return apply_message(in, modseq);
        case RecordType::Flags: return apply_flags(in, modseq);
        case RecordType::Expunge: return apply_expunge(in, modseq);
        case RecordType::Keyword: return apply_keyword(in);
        case RecordType::File: return apply_file(in);
        case RecordType::Details: return apply_details(in);
        case RecordType::Stamp:
            stamp.cur_mtime = in.number<std::int64_t>();
            stamp.new_mtime = in.number<std::int64_t>();
            stamp.uidlist_inode = in.number<std::uint64_t>();
            stamp.uidlist_size = in.number<std::uint64_t>();
            stamp.uidlist_mtime = in.number<std::int64_t>();
            stamp.unsure = in.number<std::uint64_t>();
            break;
        case RecordType::Removed:
            while (in.ok() && !in.at_end()) {
                std::uint32_t first, last;
                if (!read_range(in, first, last)) return corrupt("a broken range");
                doomed.erase(doomed.lower_bound(first), doomed.upper_bound(last));
            }
            break;
        case RecordType::Recent: first_recent = in.number<std::uint32_t>(); break;
        case RecordType::NextUid: next_uid = std::max(next_uid, in.number<std::uint32_t>()); break;
        case RecordType::Guid: guid = in.raw(in.left()); break;
        default: return corrupt("a record of an unknown type");
    }
    return in.ok() ? Status() : corrupt("a short record");
}

Status MailboxState::apply(std::string_view payload, std::uint64_t modseq) {
    if (modseq < highest_modseq) return corrupt("a modseq that goes back");
    ByteReader in(payload);
    while (!in.at_end()) {
        auto type = in.number<std::uint32_t>();
        std::string_view body = in.counted();
        if (!in.ok()) return corrupt("a torn record");
        TRY(apply_record(static_cast<RecordType>(type), ByteReader(body), modseq));
    }
    highest_modseq = modseq;
    return {};
}

// --- whole arrays

Status MailboxState::adopt(std::vector<Message> messages, std::vector<char> names, std::vector<KeywordSet> keyword_sets,
                           std::unordered_map<std::uint32_t, std::string> odd_infos,
                           std::unordered_map<std::uint32_t, std::string> fields) {
    if (keyword_sets.empty() || keyword_sets[0].any()) return corrupt("no empty keyword set");
    std::uint32_t last = 0;
    counts = {};
    for (const Message& message : messages) {
        if (message.uid <= last || message.uid == UINT32_MAX || message.name_length == 0 || message.name_length > 255 ||
            message.name_offset > names.size() || names.size() - message.name_offset < message.name_length ||
            message.keywords >= keyword_sets.size() || message.modseq > highest_modseq || message.is_gone())
            return corrupt("a message that cannot be");
        last = message.uid;
    }
    if (std::find(names.begin(), names.end(), '/') != names.end()) return corrupt("a file name that cannot be");
    if (next_uid <= last) return corrupt("a uid past the next one");
    messages_ = std::move(messages);
    names_ = std::move(names);
    keyword_sets_ = std::move(keyword_sets);
    keyword_set_index_.clear();
    for (std::uint32_t i = 0; i < keyword_sets_.size(); ++i) keyword_set_index_.try_emplace(keyword_sets_[i], i);
    odd_infos_ = std::move(odd_infos);
    fields_ = std::move(fields);
    formerly_wanted_.clear();
    table_.clear();
    unsettled.clear();
    journal.clear();
    journal_floor = highest_modseq;
    for (const Message& message : messages_) {
        add_counts(message, +1);
        if (wanted(message) != message.disk) unsettled.push_back(message.uid);
    }
    return {};
}

void MailboxState::compact() {
    std::vector<char> names;
    names.reserve(names_.size());
    std::vector<Message> live;
    live.reserve(counts.messages);
    for (const Message& message : messages_) {
        if (message.is_gone()) continue;
        Message kept = message;
        kept.name_offset = static_cast<std::uint32_t>(names.size());
        std::string_view name = base(message);
        names.insert(names.end(), name.begin(), name.end());
        live.push_back(kept);
    }
    messages_ = std::move(live);
    names_ = std::move(names);
    table_.clear();
}

void MailboxState::restart_history(std::uint64_t modseq) {
    highest_modseq = history_floor = journal_floor = modseq;
    expunges.clear();
    journal.clear();
    for (Message& message : messages_) message.modseq = modseq;
}

}  // namespace culver
