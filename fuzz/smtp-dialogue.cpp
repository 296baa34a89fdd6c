// The whole dialogue, fed in pieces: no crash, one reply per recipient, bounded output.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "lib-base/assert.h"
#include "lib-smtp/dialogue.h"

namespace {
using namespace culver;

class Sink final : public SmtpHandler {
public:
    void hello(std::string_view) override {}
    SmtpReply mail(MailCommand&&) override {
        ASSERT(!open_);
        open_ = true;
        return {250, "2.1.0 OK"};
    }
    void recipient(RcptCommand&& command) override {
        ASSERT(open_);
        auto again = parse_address(command.recipient.to_string());
        ASSERT(again && *again == command.recipient);
        ++recipients_;
        dialogue->finish_recipient({250, "2.1.5 OK"});
    }
    void message_begin() override { ASSERT(open_); }
    void message_data(std::string_view) override {}
    void message_end(MessageOutcome) override {
        dialogue->finish_data(std::vector<SmtpReply>(recipients_, {250, "2.0.0 Saved"}));
    }
    void reset() override {
        ASSERT(open_);
        open_ = false;
        recipients_ = 0;
    }
    void start_tls() override { dialogue->restart_after_tls(); }
    SmtpDialogue* dialogue = nullptr;

private:
    bool open_ = false;
    std::size_t recipients_ = 0;
};
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    SmtpDialogueOptions options;
    options.hostname = "h";
    options.offer_starttls = data[0] & 1;
    options.limits.message = 1000;
    Sink sink;
    SmtpDialogue dialogue(options, sink);
    sink.dialogue = &dialogue;
    std::string_view input(reinterpret_cast<const char*>(data) + 2, size - 2);
    const std::size_t step = data[1] + 1u;
    while (!input.empty() && !dialogue.is_closed()) {
        auto piece = input.substr(0, step);
        dialogue.feed(piece);
        input.remove_prefix(piece.size());
        dialogue.take_output();
    }
    return 0;
}
