#include "lib-auth/result-rule.h"

#include <fmt/format.h>

namespace culver {

Result<ResultRule> parse_result_rule(std::string_view setting, std::string_view word) {
    if (word == "return") return ResultRule::Return;
    if (word == "return-ok") return ResultRule::ReturnOk;
    if (word == "return-fail") return ResultRule::ReturnFail;
    if (word == "continue") return ResultRule::Continue;
    if (word == "continue-ok") return ResultRule::ContinueOk;
    if (word == "continue-fail") return ResultRule::ContinueFail;
    return fail(
        ErrorCode::InvalidArgument,
        fmt::format("Invalid {} = {}: write return, return-ok, return-fail, continue, continue-ok or continue-fail",
                    setting, word));
}

}  // namespace culver
