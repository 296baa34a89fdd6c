// The table of all commands.
#include <algorithm>
#include <array>

#include "imapd/commands.h"

namespace culver {

const CommandSpec* find_command(std::string_view name) {
    // Built on first use: the specs live in other files, whose order of initialisation is nobody's business.
    static const auto kTable = [] {
        std::array table = {
            &kAppend,  &kCapability, &kCheck,    &kClose,     &kCopy,        &kCreate,     &kDelete,
            &kEnable,  &kExamine,    &kExpunge,  &kFetch,     &kId,          &kIdle,       &kList,
            &kLogout,  &kLsub,       &kMove,     &kNamespace, &kNoop,        &kRename,     &kSearch,
            &kSelect,  &kStatus,     &kStore,    &kSubscribe, &kUidCopy,     &kUidExpunge, &kUidFetch,
            &kUidMove, &kUidSearch,  &kUidStore, &kUnselect,  &kUnsubscribe, &kXlist,
        };
        std::ranges::sort(table, {}, &CommandSpec::name);
        return table;
    }();
    const auto found = std::ranges::lower_bound(kTable, name, {}, &CommandSpec::name);
    return found != kTable.end() && (*found)->name == name ? *found : nullptr;
}

}  // namespace culver
