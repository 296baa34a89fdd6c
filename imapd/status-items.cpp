#include "imapd/status-items.h"

#include <fmt/format.h>

#include "imapd/append-limit.h"
#include "lib-imap/parser.h"
#include "lib-imap/writer.h"

namespace culver {

void StatusItems::parse(Parser& in) {
    static constexpr struct {
        std::string_view name;
        Item item;
    } kItems[] = {
        {"MESSAGES", Messages}, {"RECENT", Recent},
        {"UIDNEXT", UidNext},   {"UIDVALIDITY", UidValidity},
        {"UNSEEN", Unseen},     {"HIGHESTMODSEQ", HighestModSeq},
        {"SIZE", Size},         {"X-SIZE", Size},
        {"X-GUID", Guid},       {"APPENDLIMIT", AppendLimit},
    };
    in.open_list();
    while (in.more()) {
        const std::string word = in.keyword();
        std::uint32_t found = 0;
        for (const auto& [name, item] : kItems)
            if (name == word) found = item;
        if (found == 0) in.fail("Invalid status item " + word);
        items_ |= found;
    }
    if (in.ok() && items_ == 0) in.fail("Empty status list");
    in.close_list();
}

void StatusItems::append_line(std::string& out, std::string_view mailbox_utf8, const MailboxStatus& status) const {
    out.append("* STATUS ");
    append_mailbox(out, mailbox_utf8);
    out.append(" (");
    const std::size_t begin = out.size();
    const auto item = [&](Item wanted, std::string_view name, std::uint64_t value) {
        if (!(items_ & wanted)) return;
        if (out.size() > begin) out.push_back(' ');
        fmt::format_to(std::back_inserter(out), "{} {}", name, value);
    };
    item(Messages, "MESSAGES", status.messages);
    item(Recent, "RECENT", status.recent);
    item(UidNext, "UIDNEXT", status.uid_next.value);
    item(UidValidity, "UIDVALIDITY", status.uid_validity);
    item(Unseen, "UNSEEN", status.unseen);
    item(HighestModSeq, "HIGHESTMODSEQ", status.highest_modseq.value);
    item(Size, "SIZE", status.size);
    item(AppendLimit, "APPENDLIMIT", kAppendLimit);
    if (items_ & Guid) {
        if (out.size() > begin) out.push_back(' ');
        out.append("X-GUID ").append(status.guid);
    }
    out.append(")\r\n");
}

}  // namespace culver
