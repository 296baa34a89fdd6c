// doveadm mailbox status [-t] <fields> <mailbox> ...: how many messages, which UIDs.
#include <algorithm>

#include "doveadm/commands.h"
#include "doveadm/mailbox-arguments.h"
#include "lib-base/text.h"
#include "lib-storage/mail-user.h"
#include "lib-storage/mailbox-view.h"

namespace culver::doveadm {

namespace {

enum class Field { Messages, Recent, UidNext, UidValidity, Unseen, HighestModSeq, VirtualSize, Guid, FirstSaved };

struct FieldName {
    std::string_view name;
    Field field;
    bool can_total;
};

// Printed in this order, whatever order they were asked for.
constexpr FieldName kFields[] = {
    {"messages", Field::Messages, true},      {"recent", Field::Recent, true},
    {"uidnext", Field::UidNext, false},       {"uidvalidity", Field::UidValidity, false},
    {"unseen", Field::Unseen, true},          {"highestmodseq", Field::HighestModSeq, false},
    {"vsize", Field::VirtualSize, true},      {"guid", Field::Guid, false},
    {"firstsaved", Field::FirstSaved, false},
};

// The fields of the first argument, checked by prepare.
std::vector<FieldName> wanted_fields(const Invocation& call) {
    const auto words = split_words(call.arguments()[0]);
    std::vector<FieldName> wanted;
    for (const FieldName& field : kFields) {
        const bool is_all = std::find(words.begin(), words.end(), "all") != words.end();
        const bool is_named = std::find(words.begin(), words.end(), field.name) != words.end();
        if (is_named || (is_all && (field.can_total || !call.has('t')))) wanted.push_back(field);
    }
    return wanted;
}

int prepare(Invocation& call) {
    if (call.arguments().size() < 2) return call.usage();
    for (const std::string_view word : split_words(call.arguments()[0])) {
        const auto* const found = std::find_if(std::begin(kFields), std::end(kFields),
                                               [&](const FieldName& field) { return field.name == word; });
        if (found == std::end(kFields) && word != "all") {
            call.fatal("Unknown status field: " + std::string(word));
            return kExitUsage;
        }
        if (call.has('t') && word != "all" && !found->can_total) {
            call.fatal("Status field " + std::string(word) + " can't be used with -t");
            return kExitUsage;
        }
    }
    std::vector<Column> columns;
    if (!call.has('t')) columns.push_back({"mailbox", "", Column::Align::Left, Column::Title::Hidden});
    const auto fields = wanted_fields(call);
    if (fields.empty()) {
        call.fatal("No status fields");
        return kExitUsage;
    }
    for (const FieldName& field : fields) columns.push_back({std::string(field.name)});
    call.out().columns(std::move(columns));
    return check_arguments_utf8(call);
}

// When the oldest message came into this mailbox; "never" if there is none.
Result<std::string> first_saved(Mailbox& mailbox) {
    const auto view = TRY(mailbox.open_view(Mailbox::Access::ReadOnly));
    std::int64_t first = 0;
    view->visit_all([&](Seq, const MessageInfo& info) {
        if (info.save_date != 0 && (first == 0 || info.save_date < first)) first = info.save_date;
    });
    return first == 0 ? "never" : std::to_string(first);
}

Result<std::string> value_of(Field field, const MailboxStatus& status, Mailbox& mailbox) {
    switch (field) {
        case Field::Messages: return std::to_string(status.messages);
        case Field::Recent: return std::to_string(status.recent);
        case Field::UidNext: return std::to_string(status.uid_next.value);
        case Field::UidValidity: return std::to_string(status.uid_validity);
        case Field::Unseen: return std::to_string(status.unseen);
        case Field::HighestModSeq: return std::to_string(status.highest_modseq.value);
        case Field::VirtualSize: return std::to_string(status.size);
        case Field::Guid: return status.guid;
        case Field::FirstSaved: return first_saved(mailbox);
    }
    return std::string();
}

Status print_one(Invocation& call, MailUser& user, const MailboxName& name, std::vector<std::uint64_t>& totals) {
    const auto mailbox = TRY(user.open_mailbox(name));
    const MailboxStatus status = TRY(mailbox->status());
    std::vector<std::string> row;
    if (!call.has('t')) row.push_back(name.utf8());
    std::size_t i = 0;
    for (const FieldName& field : wanted_fields(call)) {
        std::string value = TRY(value_of(field.field, status, *mailbox));
        if (call.has('t')) totals[i++] += parse_uint64(value).value_or(0);
        row.push_back(std::move(value));
    }
    if (!call.has('t')) call.out().row(std::move(row));
    return {};
}

// Names without wildcards stand for themselves, so that a missing one is an error.
Result<std::vector<MailboxName>> mailboxes_of(const Invocation& call, MailUser& user) {
    std::vector<MailboxName> names;
    for (auto it = call.arguments().begin() + 1; it != call.arguments().end(); ++it) {
        if (it->find_first_of("*%") == std::string::npos) {
            names.push_back(MailboxName::from_disk(equals_ignore_case(*it, "INBOX") ? "INBOX" : *it));
            continue;
        }
        ListQuery query;
        query.patterns = {*it};
        for (const ListEntry& entry : TRY(user.list(query)))
            if (!entry.noselect && !entry.nonexistent && !entry.unmade)
                names.push_back(MailboxName::from_disk(entry.name));
    }
    return names;
}

int run(Invocation& call, MailUser& user) {
    const auto names = mailboxes_of(call, user);
    if (!names) return call.report(names.error(), "Listing mailboxes failed");
    std::vector<std::uint64_t> totals(std::size(kFields));
    int code = kExitOk;
    for (const MailboxName& name : *names) {
        const Status printed = print_one(call, user, name, totals);
        if (printed) continue;
        const int one = call.report(printed.error(), "Mailbox " + name.utf8() + ": Failed to lookup mailbox status");
        if (code == kExitOk) code = one;
    }
    if (call.has('t')) {
        std::vector<std::string> row;
        for (std::size_t i = 0; i < wanted_fields(call).size(); ++i) row.push_back(std::to_string(totals[i]));
        call.out().row(std::move(row));
    }
    return code;
}

}  // namespace

const CommandSpec kMailboxStatus = {
    .words = "mailbox status",
    .synopsis = "[-t] <fields> <mailbox> [...]",
    .help = "Prints messages, recent, uidnext, uidvalidity, unseen, highestmodseq, vsize, guid, firstsaved, or all.",
    .options = {{'t', "", "One line with the sums of all mailboxes"}},
    .prepare = prepare,
    .run_for_user = run,
};

}  // namespace culver::doveadm
