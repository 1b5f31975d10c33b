# Compiled as it is: what stands here would be types, and its time is spent in calls.
