// doveadm mailbox delete [-e] [-r] [-s] [-Z] <mailbox> ...: deletes mailboxes with their messages.
#include "doveadm/commands.h"
#include "doveadm/mailbox-arguments.h"
#include "lib-storage/mail-user.h"

namespace culver::doveadm {

namespace {

Status remove_one(Invocation& call, MailUser& user, const MailboxName& name) {
    if (call.has('e')) {
        const MailboxStatus status = TRY(user.status(name));
        if (status.messages > 0) {
            const char* text = "Mailbox isn't empty";
            return fail(Error{ErrorCode::AlreadyExists, text, text});
        }
    }
    TRY(user.remove(name));
    if (call.has('s')) TRY(user.subscribe_any(name, false));
    return {};
}

// The mailboxes below `name`, the deepest first.
Status remove_children(Invocation& call, MailUser& user, const MailboxName& name) {
    ListQuery query;
    query.patterns = {name.utf8() + user.separator_for(name) + "*"};
    const auto entries = TRY(user.list(query));
    for (auto it = entries.rbegin(); it != entries.rend(); ++it) {
        if (it->nonexistent) continue;
        const MailboxName child = MailboxName::from_disk(it->name);
        // A pattern cannot quote wildcards: "a*" as a parent would match what lies below "ab".
        if (child.is_below(name, it->separator)) TRY(remove_one(call, user, child));
    }
    return {};
}

int run(Invocation& call, MailUser& user) {
    return for_each_mailbox(
        call, [](const std::string& name) { return "Can't delete mailbox " + name; },
        [&](const MailboxName& name) -> Status {
            if (!call.has('r')) return remove_one(call, user, name);
            TRY(remove_children(call, user, name));
            // A parent that only held others is gone with them.
            if (!user.exists(name)) return {};
            return remove_one(call, user, name);
        });
}

}  // namespace

const CommandSpec kMailboxDelete = {
    .words = "mailbox delete",
    .synopsis = "[-e] [-r] [-s] [-Z] <mailbox> [...]",
    .help = "Deletes mailboxes with their messages; mailboxes below them stay.",
    .options = {{'e', "", "Only if no message is in it"},
                {'r', "", "Those below it as well"},
                {'s', "", "Unsubscribe from them as well"},
                {'Z', "", "Accepted for Dovecot's sake; deleting never waits for messages to be expunged first"}},
    .prepare = require_mailboxes,
    .run_for_user = run,
};

}  // namespace culver::doveadm
