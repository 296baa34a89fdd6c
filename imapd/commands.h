// Every command of imapd; each is defined in the file of its name in imapd/commands/.
#pragma once

#include "imapd/command.h"

namespace culver {

extern const CommandSpec kAppend, kCapability, kCheck, kClose, kCopy, kCreate, kDelete, kEnable, kExamine, kExpunge,
    kFetch, kId, kIdle, kList, kLogout, kLsub, kMove, kNamespace, kNoop, kRename, kSearch, kSelect, kStatus, kStore,
    kSubscribe, kUidCopy, kUidExpunge, kUidFetch, kUidMove, kUidSearch, kUidStore, kUnselect, kUnsubscribe, kXlist;

}  // namespace culver
