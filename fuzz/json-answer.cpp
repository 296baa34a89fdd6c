// What a web service may answer (introspection, policy server): JSON in, bounded members out; and text quoted for it.
#include <string_view>

#include "lib-auth/auth-policy.h"
#include "lib-auth/http/json.h"

using namespace culver;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    std::string_view text(reinterpret_cast<const char*>(data), size);
    auto object = JsonObject::parse(text, JsonObject::Duplicates::LastWins);
    if (object)
        for (const JsonMember& member : object->members())
            if (object->find(member.name) != &member) __builtin_trap();
    (void)JsonObject::parse(text, JsonObject::Duplicates::Refused);
    std::string problem;
    (void)AuthPolicy::read_answer(text, false, problem);
    if (text.size() > 8000 || text.find('\0') != text.npos) return 0;
    // What was quoted is read back.
    auto back = JsonObject::parse("{\"a\":" + json_quote(text) + "}", JsonObject::Duplicates::Refused);
    if (!back || back->members().size() != 1) __builtin_trap();
    return 0;
}
