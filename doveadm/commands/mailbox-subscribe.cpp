// doveadm mailbox subscribe|unsubscribe <mailbox> ...: the names need not exist.
#include "doveadm/commands.h"
#include "doveadm/mailbox-arguments.h"
#include "lib-storage/mail-user.h"

namespace culver::doveadm {

namespace {

int run_subscribe(Invocation& call, MailUser& user) {
    return for_each_mailbox(
        call, [](const std::string& name) { return "Can't subscribe to mailbox " + name; },
        [&](const MailboxName& name) { return user.subscribe_any(name, true); });
}

int run_unsubscribe(Invocation& call, MailUser& user) {
    return for_each_mailbox(
        call, [](const std::string& name) { return "Can't unsubscribe from mailbox " + name; },
        [&](const MailboxName& name) { return user.subscribe_any(name, false); });
}

}  // namespace

const CommandSpec kMailboxSubscribe = {
    .words = "mailbox subscribe",
    .synopsis = "<mailbox> [...]",
    .help = "Subscribes to mailboxes.",
    .prepare = require_mailboxes,
    .run_for_user = run_subscribe,
};

const CommandSpec kMailboxUnsubscribe = {
    .words = "mailbox unsubscribe",
    .synopsis = "<mailbox> [...]",
    .help = "Unsubscribes from mailboxes.",
    .prepare = require_mailboxes,
    .run_for_user = run_unsubscribe,
};

}  // namespace culver::doveadm
