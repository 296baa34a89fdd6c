// What a session tells its client about changes in the selected mailbox (RFC 3501 §7, RFC 7162 §3.1).
#include <fmt/format.h>

#include <algorithm>

#include "imapd/session.h"
#include "lib-imap/writer.h"

namespace culver {
namespace {

constexpr std::string_view kSystemFlags = "\\Answered \\Flagged \\Deleted \\Seen \\Draft";

void append_keywords(std::string& line, const std::vector<std::string>& names) {
    for (const std::string& name : names) line.append(" ").append(name);
}

// Dovecot expunges from the end, so that no number depends on the lines before it; some clients are known to like it.
// In: the numbers for sending from the beginning, each as it is after those before it.
std::vector<Seq> from_the_end(std::vector<Seq> seqs) {
    if (!std::ranges::is_sorted(seqs)) return seqs;
    for (std::uint32_t i = 0; i < seqs.size(); ++i) seqs[i].value += i;
    std::ranges::reverse(seqs);
    return seqs;
}

}  // namespace

void Session::announce_keywords() {
    if (!selected_) return;
    std::vector<std::string> now = mailbox().keywords();
    if (now.size() <= selected_->keywords_told) {
        if (keywords_.size() < now.size()) keywords_ = std::move(now);
        return;
    }
    tell_keywords();
}

void Session::tell_keywords() {
    keywords_ = mailbox().keywords();
    selected_->keywords_told = keywords_.size();
    std::string& line = out();
    line.append("* FLAGS (").append(kSystemFlags);
    append_keywords(line, keywords_);
    line.append(")\r\n* OK [PERMANENTFLAGS (");
    if (is_read_only()) {
        line.append(")] Read-only mailbox.\r\n");
    } else {
        line.append(kSystemFlags);
        append_keywords(line, keywords_);
        line.append(" \\*)] Flags permitted.\r\n");
    }
}

void Session::append_flags(std::string& line, const MessageInfo& info) {
    line.push_back('(');
    const std::size_t begin = line.size();
    append_system_flags(line, info.flags.system);
    const auto word = [&](std::string_view text) {
        if (line.size() > begin) line.push_back(' ');
        line.append(text);
    };
    if (selected_ && selected_->view->is_recent(info.uid)) word("\\Recent");
    if (info.flags.keywords.any()) {
        for (std::size_t bit = 0; bit < keywords_.size(); ++bit)
            if (info.flags.keywords.test(bit)) word(keywords_[bit]);
    }
    line.push_back(')');
}

Status Session::sync(MailboxView::Expunges expunges) {
    if (!selected_) return {};
    MailboxView& messages = view();
    const ViewChanges changes = TRY(messages.sync(expunges));
    std::string& text = out();

    for (Seq seq : from_the_end(changes.expunged_seqs)) {
        fmt::format_to(std::back_inserter(text), "* {} EXPUNGE\r\n", seq.value);
        flush_if_large();
    }
    const auto expunged = static_cast<std::uint32_t>(changes.expunged_seqs.size());
    selected_->exists_told -= std::min(selected_->exists_told, expunged);

    if (changes.keywords_changed || !changes.flags.empty()) announce_keywords();
    messages.visit(changes.flags, [&](Seq seq, const MessageInfo& info) {
        fmt::format_to(std::back_inserter(text), "* {} FETCH (", seq.value);
        if (condstore_) fmt::format_to(std::back_inserter(text), "MODSEQ ({}) ", info.modseq.value);
        text.append("FLAGS ");
        append_flags(text, info);
        text.append(")\r\n");
    });
    flush_if_large();

    if (messages.exists() != selected_->exists_told) {
        selected_->exists_told = messages.exists();
        fmt::format_to(std::back_inserter(text), "* {} EXISTS\r\n", messages.exists());
    }
    if (messages.recent() != selected_->recent_told) {
        selected_->recent_told = messages.recent();
        fmt::format_to(std::back_inserter(text), "* {} RECENT\r\n", messages.recent());
    }
    return {};
}

}  // namespace culver
