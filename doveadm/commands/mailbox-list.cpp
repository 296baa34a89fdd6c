// doveadm mailbox list [-7|-8] [-s] [<mask> ...]: the mailboxes of a user.
#include "doveadm/commands.h"
#include "doveadm/mailbox-arguments.h"
#include "lib-mail/modified-utf7.h"
#include "lib-storage/mail-user.h"

namespace culver::doveadm {

namespace {

int prepare(Invocation& call) {
    call.out().columns({{"mailbox", "", Column::Align::Left, Column::Title::Hidden}});
    return check_arguments_utf8(call);
}

int run(Invocation& call, MailUser& user) {
    ListQuery query;
    query.patterns = call.arguments().empty() ? std::vector<std::string>{"*"} : call.arguments();
    query.select_subscribed = call.has('s');
    const auto entries = user.list(query);
    if (!entries) return call.report(entries.error(), "Listing mailboxes failed");
    for (const ListEntry& entry : *entries) {
        const auto encoded = call.has('7') ? modified_utf7_encode(entry.name) : std::nullopt;
        call.out().row({encoded ? *encoded : entry.name});
    }
    return kExitOk;
}

}  // namespace

const CommandSpec kMailboxList = {
    .words = "mailbox list",
    .synopsis = "[-7|-8] [-s] [<mailbox mask> [...]]",
    .help = "Lists mailboxes; in masks * stands for anything, % for anything within one level.",
    .options = {{'7', "", "Names in modified UTF-7"},
                {'8', "", "Names in UTF-8 (default)"},
                {'s', "", "Subscribed names only, whether they exist or not"}},
    .prepare = prepare,
    .run_for_user = run,
};

}  // namespace culver::doveadm
