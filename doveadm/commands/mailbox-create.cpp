// doveadm mailbox create [-s] <mailbox> ...: makes mailboxes.
#include "doveadm/commands.h"
#include "doveadm/mailbox-arguments.h"
#include "lib-storage/mail-user.h"

namespace culver::doveadm {

namespace {

int run(Invocation& call, MailUser& user) {
    return for_each_mailbox(
        call, [](const std::string& name) { return "Can't create mailbox " + name; },
        [&](const MailboxName& name) -> Status {
            TRY(user.create(name));
            if (call.has('s')) TRY(user.subscribe_any(name, true));
            return {};
        });
}

}  // namespace

const CommandSpec kMailboxCreate = {
    .words = "mailbox create",
    .synopsis = "[-s] <mailbox> [...]",
    .help = "Makes mailboxes; a name that ends with the separator makes only a place for others.",
    .options = {{'s', "", "Subscribe to them as well"}},
    .prepare = require_mailboxes,
    .run_for_user = run,
};

}  // namespace culver::doveadm
