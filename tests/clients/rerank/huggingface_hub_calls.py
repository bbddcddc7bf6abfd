"""huggingface_hub has no call that reranks; when it gets one, this says so."""

from huggingface_hub import InferenceClient

from tests.clients.rerank.cases import tell_nothing

if __name__ == "__main__":
    tell_nothing(
        "huggingface-hub",
        "InferenceClient",
        [name for name in dir(InferenceClient) if "rank" in name],
    )
