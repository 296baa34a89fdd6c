// SELECT and EXAMINE: open a mailbox. RFC 3501 §6.3.1, §6.3.2; (CONDSTORE) RFC 7162 §3.1.8.
#include <fmt/format.h>

#include "imapd/commands.h"
#include "imapd/session.h"
#include "lib-imap/parser.h"

namespace culver {
namespace {

class SelectOrExamine : public Command {
public:
    explicit SelectOrExamine(Mailbox::Access access) : access_(access) {}

    void parse(Parser& in) override {
        mailbox_ = in.mailbox();
        if (!in.next_is_list()) return;
        in.open_list();
        while (in.more()) {
            const std::string word = in.keyword();
            if (word == "CONDSTORE") condstore_ = true;
            else in.fail(word == "QRESYNC" ? "QRESYNC not enabled" : "Unknown FETCH modifier");
        }
        in.close_list();
    }

    Reply run(Session& session) override {
        MailboxName name = TRY_REPLY(MailboxName::parse(mailbox_));
        if (condstore_) session.enable_condstore();
        auto opened = session.user().open_mailbox(name);
        if (!opened) return Reply::from(opened.error(), "");
        auto view = (*opened)->open_view(access_);
        if (!view) return Reply::from(view.error(), "");

        SelectedMailbox selected{std::move(name), std::move(*opened), std::move(*view)};
        selected.read_only = access_ == Mailbox::Access::ReadOnly || selected.mailbox->is_read_only();
        selected.exists_told = selected.view->exists();
        selected.recent_told = selected.view->recent();
        session.select(std::move(selected));
        tell(session);
        const bool read_only = session.is_read_only();
        return Reply::ok(read_only ? "READ-ONLY" : "READ-WRITE",
                         access_ == Mailbox::Access::ReadOnly ? "Examine completed." : "Select completed.");
    }

private:
    static void tell(Session& session) {
        session.tell_keywords();
        const MailboxView& view = session.view();
        std::string& out = session.out();
        const auto to = std::back_inserter(out);
        fmt::format_to(to, "* {} EXISTS\r\n* {} RECENT\r\n", view.exists(), view.recent());
        if (const auto unseen = view.first_unseen())
            fmt::format_to(to, "* OK [UNSEEN {}] First unseen.\r\n", unseen->value);
        fmt::format_to(to,
                       "* OK [UIDVALIDITY {}] UIDs valid\r\n* OK [UIDNEXT {}] Predicted next UID\r\n"
                       "* OK [HIGHESTMODSEQ {}] Highest\r\n",
                       session.mailbox().uid_validity(), view.uid_next().value, view.highest_modseq().value);
    }

    const Mailbox::Access access_;
    std::string mailbox_;
    bool condstore_ = false;
};

class Select final : public SelectOrExamine {
public:
    Select() : SelectOrExamine(Mailbox::Access::ReadWrite) {}
};
class Examine final : public SelectOrExamine {
public:
    Examine() : SelectOrExamine(Mailbox::Access::ReadOnly) {}
};

}  // namespace

const CommandSpec kSelect = {"SELECT", States::Authenticated, Effects::ClosesMailbox, make_command<Select>};
const CommandSpec kExamine = {"EXAMINE", States::Authenticated, Effects::ClosesMailbox, make_command<Examine>};

}  // namespace culver
