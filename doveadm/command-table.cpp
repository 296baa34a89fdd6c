// Every command of doveadm. To add one: write doveadm/commands/<words>.cpp, declare its CommandSpec in
// doveadm/commands.h, add its line here.
#include "doveadm/commands.h"

namespace culver::doveadm {

const std::vector<const CommandSpec*>& command_table() {
    static const std::vector<const CommandSpec*> table = {
        &kAuthAppPasswordAdd,
        &kAuthAppPasswordList,
        &kAuthAppPasswordRevoke,
        &kAuthCacheFlush,
        &kAuthExplain,
        &kAuthLogin,
        &kAuthLookup,
        &kAuthTest,
        &kConfig,
        &kHelp,
        &kMailboxCreate,
        &kMailboxDelete,
        &kMailboxList,
        &kMailboxMutf7,
        &kMailboxPath,
        &kMailboxRename,
        &kMailboxStatus,
        &kMailboxSubscribe,
        &kMailboxUnsubscribe,
        &kPenalty,
        &kPw,
        &kUser,
        &kReload,
        &kStop,
        &kKick,
        &kWho,
    };
    return table;
}

}  // namespace culver::doveadm
