// ENABLE: the client switches extensions on. RFC 5161; CONDSTORE by RFC 7162 §3.1.
#include "imapd/commands.h"
#include "imapd/session.h"
#include "lib-imap/parser.h"

namespace culver {
namespace {

class Enable final : public Command {
public:
    void parse(Parser& in) override {
        while (in.more()) condstore_ |= in.keyword() == "CONDSTORE";
    }

    Reply run(Session& session) override {
        // What is known is echoed, also the second time, as Dovecot does; what is not known is ignored.
        if (condstore_) {
            session.untagged("ENABLED CONDSTORE");
            session.enable_condstore();
        }
        return Reply::ok("Enabled.");
    }

private:
    bool condstore_ = false;
};

}  // namespace

const CommandSpec kEnable = {"ENABLE", States::Any, Effects::None, make_command<Enable>};

}  // namespace culver
