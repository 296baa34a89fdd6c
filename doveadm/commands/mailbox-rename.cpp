// doveadm mailbox rename [-s] <old name> <new name>
#include "doveadm/commands.h"
#include "doveadm/mailbox-arguments.h"
#include "lib-storage/mail-user.h"

namespace culver::doveadm {

namespace {

int prepare(Invocation& call) { return call.arguments().size() == 2 ? check_arguments_utf8(call) : call.usage(); }

Status rename(const Invocation& call, MailUser& user) {
    const MailboxName from = TRY(MailboxName::parse(call.arguments()[0]));
    const MailboxName to = TRY(MailboxName::parse(call.arguments()[1]));
    TRY(user.rename(from, to));
    if (!call.has('s')) return {};
    TRY(user.subscribe_any(to, true));
    return user.subscribe_any(from, false);
}

int run(Invocation& call, MailUser& user) {
    const Status renamed = rename(call, user);
    if (renamed) return kExitOk;
    const int code =
        call.report(renamed.error(), "Can't rename mailbox " + call.arguments()[0] + " to " + call.arguments()[1]);
    const auto from = MailboxName::parse(call.arguments()[0]);
    // "Not possible" has the code of "exists" here; IMAP says it in another way.
    return from && from->is_inbox() ? kExitExists : code;
}

}  // namespace

const CommandSpec kMailboxRename = {
    .words = "mailbox rename",
    .synopsis = "[-s] <old name> <new name>",
    .help = "Gives a mailbox, and every mailbox below it, a new name.",
    .options = {{'s', "", "Subscribe to the new name, unsubscribe from the old one"}},
    .prepare = prepare,
    .run_for_user = run,
};

}  // namespace culver::doveadm
