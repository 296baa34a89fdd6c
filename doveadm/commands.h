// The declarations of all commands; each is defined in the file of its words under doveadm/commands/.
#pragma once

#include "doveadm/command.h"

namespace culver::doveadm {

extern const CommandSpec kAuthAppPasswordAdd, kAuthAppPasswordList, kAuthAppPasswordRevoke;
extern const CommandSpec kAuthCacheFlush, kAuthExplain, kAuthLogin, kAuthLookup, kAuthTest;
extern const CommandSpec kConfig, kHelp, kPenalty, kPw, kUser;
extern const CommandSpec kKick, kReload, kStop, kWho;
extern const CommandSpec kMailboxCreate, kMailboxDelete, kMailboxList, kMailboxMutf7, kMailboxPath, kMailboxRename,
    kMailboxStatus, kMailboxSubscribe, kMailboxUnsubscribe;

}  // namespace culver::doveadm
