// culver.index.log full of rubbish. The checksums are mended first, or nothing behind them would ever be reached: the
// input is a chain of (1 byte: what to do with the modseq, 2 bytes: length, payload).
#include "lib-storage/index/index-log.h"

#include <cstdint>
#include <string>

#include "lib-storage/index/mailbox-state.h"
#include "lib-storage/index/snapshot.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view text(reinterpret_cast<const char*>(data), size);
    culver::ParsedTransaction transaction;
    (void)culver::parse_transaction(text, transaction);
    culver::MailboxState state;
    state.uid_validity = 1;
    while (text.size() >= 3) {
        std::size_t length =
            static_cast<unsigned char>(text[1]) | static_cast<std::size_t>(static_cast<unsigned char>(text[2])) << 8;
        std::uint64_t modseq = state.highest_modseq + static_cast<unsigned char>(text[0]) % 3;
        text.remove_prefix(3);
        if (!state.apply(text.substr(0, length), modseq)) return 0;
        text.remove_prefix(std::min(length, text.size()));
    }
    // Whatever was accepted can be written and read.
    state.compact();
    culver::MailboxState again;
    (void)culver::decode_snapshot(culver::encode_snapshot(state, {1, 0, 0}), again);
    for (const culver::Message& message : again.messages()) {
        (void)again.info(message);
        (void)again.find_base(again.base(message));
    }
    return 0;
}
