// result_success, result_failure, result_internalfail and skip of passdb and userdb blocks.
#pragma once

#include <string_view>

#include "lib-base/result.h"

namespace culver {

enum class ResultRule { Return, ReturnOk, ReturnFail, Continue, ContinueOk, ContinueFail };

// InvalidArgument for another word; `setting` names it in the error.
Result<ResultRule> parse_result_rule(std::string_view setting, std::string_view word);

}  // namespace culver
