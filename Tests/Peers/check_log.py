"""Reads the event files and trainer_state.json of a run with TensorBoard and transformers.
`make test-peers` runs it.

    check_log.py FOLDER

FOLDER has events.out.tfevents.* of a run that was killed and went on, and last/trainer_state.json,
written by PeerLogTests.
"""
import json
import os
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from transformers import TrainerState

TAGS = {
    "train/loss", "train/learning_rate", "train/grad_norm", "train/epoch", "eval/loss",
    "eval/runtime",
}


def main(folder):
    log = EventAccumulator(folder, size_guidance={"scalars": 0, "images": 0}).Reload()
    tags = log.Tags()
    state = TrainerState.load_from_json(os.path.join(folder, "last", "trainer_state.json"))
    faults = [f"no tag {tag}" for tag in sorted(TAGS - set(tags["scalars"]))]
    for name in ("loss", "grad_norm", "learning_rate"):
        logged = [(e["step"], e[name]) for e in state.log_history if name in e]
        shown = [(e.step, e.value) for e in log.Scalars("train/" + name)]
        # What the killed run logged beyond its checkpoint must be gone.
        if [step for step, _ in shown] != [step for step, _ in logged]:
            faults.append(f"{name}: steps {shown} for {logged}")
        if any(abs(a[1] - b[1]) > 1e-6 * abs(b[1]) for a, b in zip(shown, logged)):
            faults.append(f"{name}: {shown} for {logged}")
    images = [(e.width, e.height) for tag in tags["images"] for e in log.Images(tag)]
    if images != [(5, 3)]:
        faults.append(f"images {images}")
    if state.global_step != state.max_steps or state.best_metric is None:
        faults.append(f"trainer_state.json: {json.dumps(state.__dict__, default=str)[:200]}")
    print("\n".join(f"FAIL {fault}" for fault in faults)
          or f"ok   {len(tags['scalars'])} tags, {len(state.log_history)} entries of history")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
