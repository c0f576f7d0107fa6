"""What sockets tell of an account, for clients that ask now and then."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import examples, selectors
from accounts.live import pages
from accounts.serializers.feed import EventsAnswer, EventsQuery
from core import exact_json
from core.api import permissions
from core.api.authentication import principal_of


class AccountEvents(APIView):
    """What happened to an account: the records that its socket sends."""

    scopes = permissions.scopes("accounts")

    @extend_schema(parameters=[EventsQuery], responses=EventsAnswer, examples=examples.EVENTS)
    def get(self, request: Request, account_id: str) -> Response:
        """List the events of one account behind the one you have."""
        query = EventsQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        after: int = query.validated_data["after"]
        principal = selectors.principal_for(principal=principal_of(request), account_id=account_id)
        page = pages.get_page(
            principal=principal,
            account_id=account_id,
            after=after,
            limit=query.validated_data["limit"],
        )
        is_whole = page.continues(after)
        return Response(
            {
                "account_id": account_id,
                "seq": page.last,
                "oldest": page.oldest,
                "reset": not is_whole,
                "events": [exact_json.loads(e.text) for e in page.events] if is_whole else [],
            }
        )
