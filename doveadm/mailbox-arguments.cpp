#include "doveadm/mailbox-arguments.h"

#include "lib-base/text.h"

namespace culver::doveadm {

int check_arguments_utf8(Invocation& call) {
    for (const std::string& name : call.arguments()) {
        if (is_valid_utf8(name)) continue;
        call.fatal("Mailbox name not valid UTF-8: " + name);
        return kExitExists;
    }
    return kExitOk;
}

int require_mailboxes(Invocation& call) {
    if (call.arguments().empty()) return call.usage();
    return check_arguments_utf8(call);
}

int for_each_mailbox(Invocation& call, const std::function<std::string(const std::string&)>& complaint,
                     const std::function<Status(const MailboxName&)>& work) {
    int code = kExitOk;
    for (const std::string& argument : call.arguments()) {
        const auto name = MailboxName::parse(argument);
        const Status done = name ? work(*name) : Status(std::unexpected(name.error()));
        if (done) continue;
        const int one = call.report(done.error(), complaint(argument));
        if (code == kExitOk) code = one;
    }
    return code;
}

}  // namespace culver::doveadm
